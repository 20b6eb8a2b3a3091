#!/usr/bin/env bash
# Starts SLURM with this machine as its only node, from the distribution's packages, for the tests. Needs root, and
# apt-get where the packages are not installed. Neither systemd nor cgroups are asked for, so a container will do.
# What is queued again has to wait for its credentials to expire: 5 seconds here, and not SLURM's own 120.
#   start.sh FOLDER    everything that is written lies in FOLDER; stop with: stop.sh FOLDER
set -euo pipefail
folder=$(realpath "$1")
here=$(dirname "$(realpath "$0")")
trap '"$here/stop.sh" "$folder"' ERR

if ! type slurmctld slurmd munged sbatch >/dev/null 2>&1; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends slurm-wlm munge
fi

mkdir -p "$folder"/{state,spool,munge}
chmod 0711 "$folder/munge"
dd if=/dev/urandom of="$folder/munge.key" bs=1024 count=1 status=none
chmod 0400 "$folder/munge.key"
munged --force --key-file "$folder/munge.key" --socket "$folder/munge/socket" --pid-file "$folder/munge/pid" \
    --seed-file "$folder/munge/seed" --log-file "$folder/munge/log"

# Ports that are free, so that several of these can run at a time.
read -r controller_port node_port < <(python3 -c '
import socket
sockets = [socket.create_server(("", 0)) for _ in range(2)]
print(*(one.getsockname()[1] for one in sockets))')
cat > "$folder/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmUser=root
SlurmctldPort=$controller_port
SlurmdPort=$node_port
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
SchedulerParameters=bf_interval=1,sched_interval=1,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=10
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=60 State=UP
CONF
export SLURM_CONF="$folder/slurm.conf"
slurmctld
slurmd
for _ in $(seq 60); do
    sinfo --noheader --states=idle --format=%n 2>/dev/null | grep -q . && exit 0
    sleep 0.5
done
echo "the node did not come up; see $folder/slurmctld.log and $folder/slurmd.log" >&2
"$here/stop.sh" "$folder"
exit 1
