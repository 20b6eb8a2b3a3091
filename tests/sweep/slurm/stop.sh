#!/usr/bin/env bash
# Stops what start.sh FOLDER has started, and nothing else: its daemons have written down their numbers there.
folder=$(realpath "$1")
export SLURM_CONF="$folder/slurm.conf"
timeout 10 scancel --me 2>/dev/null
for _ in $(seq 60); do [ -n "$(timeout 10 squeue --noheader 2>/dev/null)" ] || break; sleep 0.5; done
for name in slurmd slurmctld munge/; do
    file="$folder/${name%/}.pid"
    [ "$name" = munge/ ] && file="$folder/munge/pid"
    [ -s "$file" ] || continue
    number=$(cat "$file")
    kill "$number" 2>/dev/null
    for _ in $(seq 50); do kill -0 "$number" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "$number" 2>/dev/null
done
exit 0
