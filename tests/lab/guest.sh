#!/bin/sh
# The service of the guest: unpacks the payload disk, collects, asks VFIO, packs the results, powers off.
# $OUT/status is there only if all went well.
say() { echo "LAB: $*" >/dev/console; }
export OUT=/root/out HOME=/root LC_ALL=C.UTF-8
mkdir -p /root/payload "$OUT"
cd /root/payload || exit
say "payload starts"
{
    tar -xf /dev/disk/by-id/virtio-lab-payload &&
        sh -e ./prepare.sh &&
        PYTHONPATH=. python3 -B -m doctor.collect -o "$OUT/bundle.tar.gz" &&
        python3 -B truth.py >"$OUT/truth.json" &&
        echo complete >"$OUT/status"
} >"$OUT/run.log" 2>&1 </dev/null
dmesg >"$OUT/dmesg"
tar -cf /dev/disk/by-id/virtio-lab-results -C "$OUT" .
say "payload ended"
sync
exec systemctl poweroff -ff
