#!/bin/sh
# Runs in the guest, in the folder that the payload disk was unpacked to: prepares, collects, asks VFIO, packs the
# results. Then it waits for orders where there is a disk for them, and reboots where there is none: QEMU ends at that,
# and a host without ACPI cannot power off.
# $OUT/status is there only if all went well.
say() { echo "LAB: $*" >/dev/console; }
pack() {
    tar -cf /dev/disk/by-id/virtio-lab-results -C "$OUT" .
    sync
}
ORDERS=/dev/disk/by-id/virtio-lab-orders
export OUT=/root/out HOME=/root LC_ALL=C.UTF-8
rm -rf "$OUT" /root/orders
mkdir -p "$OUT" /root/orders
say "payload starts"
{
    sh -e ./prepare.sh &&
        PYTHONPATH=. python3 -B -m doctor.collect -o "$OUT/bundle.tar.gz" &&
        python3 -B truth.py >"$OUT/truth.json" &&
        echo complete >"$OUT/status"
} >"$OUT/run.log" 2>&1 </dev/null
dmesg >"$OUT/dmesg"
pack
if ! [ -e "$ORDERS" ]; then
    say "payload ended"
    exec systemctl reboot -ff
fi
say "waits for orders"
# Read around the page cache: the other side writes while the guest runs.
until dd if="$ORDERS" iflag=direct bs=1M count=4 status=none | tar -xf - -C /root/orders 2>/dev/null &&
    [ -f /root/orders/order.sh ]; do
    sleep 1
done
cd /root/orders || exit
sh -e ./order.sh >"$OUT/order.log" 2>&1 </dev/null
echo $? >"$OUT/order.status"
pack
say "orders done"
exec systemctl "$(cat ./then)"
