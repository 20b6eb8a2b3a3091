"""Programs for accelerators that are not here: what is counted in their texts, and that they are traced for them."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import jax
import jax.numpy as jnp
import pytest

import jaxsocial
from benchmarks import compile_for, train
from benchmarks.hlo import Cost, Module
from jaxsocial.agents.networks.blocks import in_blocks, traced_for
from jaxsocial.cli.options import SweepOptions
from jaxsocial.config.presets import preset, presets
from jaxsocial.evaluate import probes
from jaxsocial.training.accelerators import TARGETS, described_device, memory_of

ROOT = Path(__file__).parents[1]
PROGRAM = """\
HloModule jit_f, is_scheduled=true

FileNames
1 "/home/a/jaxsocial/jaxsocial/env/core.py"
2 "/home/a/lib/jax/lax.py"

FunctionNames
1 "step"

FileLocations
1 {file_name_id=1 function_name_id=1 line=7 end_line=7 column=1 end_column=2}
2 {file_name_id=2 function_name_id=1 line=9 end_line=9 column=1 end_column=2}

StackFrames
1 {file_location_id=1 parent_frame_id=1}
2 {file_location_id=2 parent_frame_id=1}

%fused (a: f32[250,64], i: s32[]) -> f32[64] {
  %a = f32[250,64]{1,0} parameter(0)
  %i = s32[] parameter(1)
  %zero = s32[] constant(0)
  %row = f32[1,64]{1,0} dynamic-slice(%a, %i, %zero), dynamic_slice_sizes={1,64}
  ROOT %flat = f32[64]{0} bitcast(%row)
}

%body (state: (s32[], f32[250,64], f32[64])) -> (s32[], f32[250,64], f32[64]) {
  %state = (s32[], f32[250,64]{1,0}, f32[64]{0}) parameter(0)
  %counter = s32[] get-tuple-element(%state), index=0
  %rows = f32[250,64]{1,0} get-tuple-element(%state), index=1
  %read = f32[64]{0} fusion(%rows, %counter), kind=kLoop, calls=%fused, metadata={op_name="f" stack_frame_id=2}
  ROOT %next = (s32[], f32[250,64]{1,0}, f32[64]{0}) tuple(%counter, %rows, %read)
}

%condition (state: (s32[], f32[250,64], f32[64])) -> pred[] {
  %state = (s32[], f32[250,64]{1,0}, f32[64]{0}) parameter(0)
  %counter = s32[] get-tuple-element(%state), index=0
  %end = s32[] constant(250)
  ROOT %less = pred[] compare(%counter, %end), direction=LT
}

ENTRY %main (x: f32[250,64], w: bf16[64,32]) -> f32[250,32] {
  %x = f32[250,64]{1,0} parameter(0)
  %w = bf16[64,32]{1,0} parameter(1)
  %start = s32[] constant(0)
  %first = f32[64]{0} broadcast(%start), dimensions={}
  %state = (s32[], f32[250,64]{1,0}, f32[64]{0}) tuple(%start, %x, %first)
  %loop = (s32[], f32[250,64]{1,0}, f32[64]{0}) while(%state), condition=%condition, body=%body
  ROOT %product = f32[250,32]{1,0} dot(%x, %w), lhs_contracting_dims={1}, rhs_contracting_dims={0}
}
"""


def test_loops_are_multiplied_slices_and_products_counted():
    module = Module(PROGRAM)
    (loop,) = module.loops()
    # A turn reads one row and the counter, and writes the row: not the 250 rows.
    turn = Cost(kernels=1, bytes=64 * 4 + 4 + 64 * 4)
    assert (loop.turns, loop.times, loop.body) == (250, 1, turn)
    product = Cost(1, 250 * 64 * 4 + 64 * 32 * 2 + 250 * 32 * 4, 2 * 250 * 64 * 32)
    assert module.cost() == turn * 250 + product + Cost(1, 64 * 4 + 4)
    assert next(iter(module.by_source().items())) == ("jaxsocial/env/core.py:7", turn * 250)


def test_loops_that_depend_on_data_are_counted_apart_or_as_often_as_is_said():
    text = PROGRAM.replace("constant(250)", "parameter(1)").replace(
        "body=%body\n", 'body=%body, metadata={op_name="f" stack_frame_id=2}\n'
    )
    turn = Cost(kernels=1, bytes=64 * 4 + 4 + 64 * 4)
    unknown, given = Module(text), Module(text, {"jaxsocial/env/core.py": 3})
    assert unknown.waiting() == turn
    assert given.waiting() == Cost()
    # A difference, since costs are only added.
    more = [one - other for one, other in zip(given.cost(), unknown.cost(), strict=True)]
    assert more == [*(turn * 3)]


def test_turns_that_the_program_states_go_before_those_that_are_given():
    text = PROGRAM.replace("body=%body\n", 'body=%body, metadata={op_name="f" stack_frame_id=2}\n')
    assert [loop.turns for loop in Module(text, {"jaxsocial/env/core.py": 3}).loops()] == [250]


def test_a_loop_that_depends_on_data_waits_with_the_loops_inside():
    made = jax.jit(
        lambda x: jax.lax.while_loop(
            lambda x: x.sum() > 0, lambda x: jax.lax.scan(lambda y, _: (jnp.tanh(y @ y), None), x, None, 7)[0], x
        )
    )
    module = Module(made.lower(jnp.eye(16)).compile().as_text() or "")
    assert module.cost().flops == 0
    assert module.waiting().flops == 7 * 2 * 16**3


def test_a_compiled_scan_has_the_operations_of_all_its_turns():
    x = jnp.eye(16)
    made = jax.jit(lambda x: jax.lax.scan(lambda y, _: (jnp.tanh(y @ x), None), x, None, 7)[0]).lower(x).compile()
    module = Module(made.as_text() or "")
    assert [loop.turns for loop in module.loops()] == [7]
    assert module.cost().flops == 7 * 2 * 16**3


def test_what_tpus_keep_on_the_chip_moves_nothing():
    text = """\
%flat (a: f32[8,128]) -> f32[1024] {
  %a = f32[8,128]{1,0:T(8,128)} parameter(0)
  %n = f32[8,128]{1,0:T(8,128)} negate(%a)
  ROOT %flat = f32[1024]{0:T(1024)S(1)} bitcast(%n)
}

ENTRY %main (x: f32[8,128]) -> f32[1024] {
  %x = f32[8,128]{1,0:T(8,128)} parameter(0)
  %copy = (f32[8,128]{1,0:T(8,128)S(1)}, f32[8,128]{1,0:T(8,128)}, u32[]{:S(2)}) copy-start(%x)
  %copied = f32[8,128]{1,0:T(8,128)S(1)} copy-done(%copy)
  %cut = ((f32[8,128]{1,0:T(8,128)}), f32[1,128]{1,0:T(8,128)S(1)}, s32[]{:S(2)}) slice-start(%x)
  %row = f32[1,128]{1,0:T(8,128)S(1)} slice-done(%cut)
  %room = f32[8,128]{1,0:T(8,128)} custom-call(), custom_call_target="AllocateBuffer"
  %first = f32[1,128]{1,0:T(8,128)S(1)} slice(%x), slice={[0:1], [0:128]}
  %second = f32[1,128]{1,0:T(8,128)} slice(%copied), slice={[1:2], [0:128]}
  ROOT %out = f32[1024]{0:T(1024)S(1)} fusion(%x), kind=kLoop, calls=%flat
}
"""
    found = {instruction.name: cost for instruction, cost in Module(text)._run("main", 1.0)}
    bytes_of = {"copy": 4096, "cut": 512, "first": 512, "second": 512, "out": 4096}
    assert found == {name: Cost(1, moved) for name, moved in bytes_of.items()}


FUSED = """\
%nested (b: f32[8,128], u: f32[1,128], i: s32[]) -> f32[8,128] {{
  %b = f32[8,128]{{1,0:T(8,128)}} parameter(0)
  %u = f32[1,128]{{1,0:T(8,128)S(1)}} parameter(1)
  %i = s32[] parameter(2)
  ROOT %updated = f32[8,128]{{1,0:T(8,128)}} dynamic-update-slice(%b, %u, %i, %i)
}}

%fused (a: f32[8,128], r: f32[1,128], j: s32[]) -> f32[1024] {{
  %a = f32[8,128]{{1,0:T(8,128)}} parameter(0)
  %r = f32[1,128]{{1,0:T(8,128)S(1)}} parameter(1)
  %j = s32[] parameter(2)
  %buffer = {buffer}
  %result = f32[8,128]{{1,0:T(8,128)}} {result}
  ROOT %flat = f32[1024]{{0:T(1024){where}}} bitcast(%result)
}}

ENTRY %main (x: f32[8,128], y: f32[1,128], k: s32[]) -> f32[1024] {{
  %x = f32[8,128]{{1,0:T(8,128)}} parameter(0)
  %y = f32[1,128]{{1,0:T(8,128)S(1)}} parameter(1)
  %k = s32[] parameter(2)
  ROOT %out = f32[1024]{{0:T(1024){where}}} fusion(%x, %y, %k), kind=kLoop, calls=%fused
}}
"""
SAME, NEGATED = "f32[8,128]{1,0} bitcast(%a)", "f32[8,128]{1,0} negate(%a)"
ALLOCATED = 'f32[8,128]{1,0} custom-call(), custom_call_target="AllocateBuffer"'
UPDATED = (
    "dynamic-update-slice(%buffer, %r, %j, %j)",
    "fusion(%buffer, %r, %j), kind=kLoop, calls=%nested",
)


@pytest.mark.parametrize("result", UPDATED)
@pytest.mark.parametrize(
    ("buffer", "where", "moved"),
    [(SAME, "", 512), (ALLOCATED, "", 512), (NEGATED, "", 4096 + 4096), (SAME, "S(1)", 0), (NEGATED, "S(1)", 4096)],
)
def test_an_update_moves_its_elements_if_the_buffer_was_there_before(result, buffer, where, moved):
    text = FUSED.format(buffer=buffer, result=result, where=where)
    # And the index, a number of four bytes.
    assert Module(text).cost() == Cost(1, moved + 4)


def test_products_with_padding_and_with_gaps_are_no_operations():
    # As TPUs have one product for each of 5 seeds, and a convolution of 4 x 4 pixels by 3 x 3 with a margin of one.
    text = """\
ENTRY %main (x: f32[5,8,32], w: f32[5,32,16], y: f32[2,4,4,3], k: f32[3,3,3,7]) -> f32[2,4,4,7] {
  %x = f32[5,8,32]{2,1,0} parameter(0)
  %w = f32[5,32,16]{2,1,0} parameter(1)
  %y = f32[2,4,4,3]{3,2,1,0} parameter(2)
  %k = f32[3,3,3,7]{3,2,1,0} parameter(3)
  %seeds = f32[5,8,16]{2,1,0} convolution(%x, %w), window={size=5 stride=4 lhs_dilate=5}, dim_labels=0bf_0io->0bf
  ROOT %image = f32[2,4,4,7]{3,2,1,0} convolution(%y, %k), window={size=3x3 pad=1_1x1_1}, dim_labels=b01f_01io->b01f
}
"""
    assert Module(text).cost().flops == 2 * 5 * 8 * 32 * 16 + 2 * 2 * 3 * 7 * (2 + 3 + 3 + 2) ** 2


def test_a_program_is_traced_for_the_platform_that_it_is_compiled_for():
    def sizes(platform):
        found = []
        with traced_for(platform):
            in_blocks(lambda x: (found.append(len(x)), x)[1], jnp.arange(8), size=2)
        return found

    assert sizes("cpu") == [2]
    assert sizes("tpu") == [8]


def test_the_command_line_knows_all_targets():
    (known, none) = get_args(SweepOptions.__annotations__["target"])
    assert (get_args(known), none) == (TARGETS, type(None))


def test_what_cannot_be_compiled_for_is_refused():
    with pytest.raises(ValueError, match="choose from h100, h200, a100, v5e, v6e"):
        described_device("h1000")


def for_target(target, *command):
    """Runs Python in a process of its own, since compilers look for devices once, without the flags of tests."""
    needed = "libtpu" if target.startswith("v") else "jax_cuda12_plugin"
    if importlib.util.find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed")
    # These flags are the CPU compiler's: that of a TPU aborts on one, and for a GPU they would change what is counted.
    env = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    env["JAX_ENABLE_COMPILATION_CACHE"] = "0"
    command = [sys.executable, *command]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def compiled_for(target, *options, out):
    done = for_target(target, "-m", "benchmarks.compile_for", "--target", target, *options, "--out", str(out))
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(out.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_the_quickstart_compiles_for_every_target(target, tmp_path):
    found = compiled_for(target, "--preset", "quickstart", out=tmp_path / "found.json")
    assert [part["part"] for part in found["parts"]] == list(compile_for.PARTS)
    chunk = found["parts"][1]
    config = preset("quickstart")
    assert chunk["steps"] == config.iteration_steps
    # The environment's loop.
    assert config.sizes.steps in [loop["turns"] for loop in chunk["loops"]]
    # A second count, of the network's layers. Compilers leave out products that no one uses, and few add any.
    assert 0.5 < chunk["cost"]["flops"] / train._operations(config) < 2


SCENARIOS = """
import sys
import jax
from benchmarks.compile_for import on_device
from benchmarks.play import our_game, play
from jaxsocial.env.registry import make_scenario
from jaxsocial.training.accelerators import described_device
target, style, *names = sys.argv[1:]
device = described_device(target)
for name in names:
    game = our_game(make_scenario(name, observation=style), 8)
    jax.jit(lambda key: play(game, 64, 8, key)).lower(on_device(device, jax.random.key(0))).compile()
    print(name, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("style", ["rgb", "symbolic"])
def test_every_scenario_compiles_for_a_tpu(style):
    names = list(jaxsocial.registered_scenarios())
    done = for_target("v5e", "-c", SCENARIOS, "v5e", style, *names)
    assert done.stdout.split() == names, done.stderr[-2000:]


PROBED = """
import sys
from benchmarks.compile_for import compiled_episodes
from jaxsocial.config.presets import preset
from jaxsocial.evaluate.decoding import watched_program
from jaxsocial.evaluate.probes import chosen_probes, probe_program, probed_config
from jaxsocial.training.accelerators import described_device
target, name = sys.argv[1:]
device, config = described_device(target), preset(name)
for probe in chosen_probes(("all",), config):
    probed = probed_config(config, probe)
    compiled_episodes(probe_program(probed, probe), probed, device)
    print(probe, flush=True)
compiled_episodes(watched_program(config), config, device)
print("hidden_state", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["laptop", "quickstart"])
def test_every_probe_compiles_for_a_tpu(name):
    done = for_target("v5e", "-c", PROBED, "v5e", name)
    assert done.stdout.split() == [*probes.PROBES, probes.HIDDEN_STATE], done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*presets()])
def test_every_preset_compiles_for_a_tpu(name, tmp_path):
    found = compiled_for(
        "v5e", "--preset", name, "--parts", "begin", "chunk", "evaluation", out=tmp_path / "found.json"
    )
    assert all(part["temporaries"] + part["arguments"] < memory_of("v5e") for part in found["parts"])


@pytest.mark.slow
@pytest.mark.parametrize("target", ["h100", "v5e"])
def test_no_program_needs_more_than_its_budget(target):
    done = for_target(target, "-m", "benchmarks.budgets", "--target", target)
    assert done.returncode == 0, done.stdout
