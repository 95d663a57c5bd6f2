"""The shell collector's text: the walk over the items, and the packing; `shell` fills in what stands between @."""

__all__ = ["ITEMS", "TAIL"]

ITEMS = r"""
release=$(cat "$root/proc/sys/kernel/osrelease" 2>/dev/null)
case $release in
    *[!A-Za-z0-9._+~-]* | .* | '') release=unknown ;;
esac
while IFS='|' read -r how limit path keep; do
    case $path in
        *'@RELEASE@'*) path=${path%%'@RELEASE@'*}$release${path##*'@RELEASE@'} ;;
    esac
    show "$path"
    take "$how" "$limit" "$path" "$keep"
done <<'END'
@ITEMS@
END
"""

TAIL = r"""
# The last comma goes; the names were checked.
list() { sed '$s/,$//' "$work/$1"; }

members() {
    command -v sha256sum >/dev/null 2>&1 || return 1
    printf '"members":{%s' "$line"
    (cd "$work" && find passdoctor/sysfs.json passdoctor/files -type f -exec sha256sum {} +) |
        sed -e 's/^\([0-9a-f]*\) [ *]\(.*\)$/"\2":{"sha256":"\1"},/' -e '$s/,$//'
    printf '},%s' "$line"
}

{
    printf '{"files":{},"binary":{},"links":{%s' "$line"
    list links
    printf '},"listings":{%s' "$line"
    list listings
    printf '},"exists":[%s' "$line"
    list exists
    printf ']}\n'
} >"$work/passdoctor/sysfs.json" || full
as_root=false
[ "$me" != 0 ] || as_root=true
{
    printf '{"format":1,"tool":"passdoctor","version":"@VERSION@","collected_at":"%s","as_root":%s,\n' \
        "$(date -u +%Y-%m-%dT%H:%M:%SZ)" $as_root
    printf '"redaction":"none","redactions":{},%s' "$line"
    members || :
    printf '"entries":[%s' "$line"
    list entries
    printf ']}\n'
} >"$work/passdoctor/manifest.json" || full

show packing
cd_out=$out
case $out in
    /*) ;;
    *) cd_out=$(pwd)/$out ;;
esac
set -C # from here on nothing is overwritten
name=${cd_out%/*}/.passdoctor-$$.part
{ : >"$name"; } 2>/dev/null || fail "$folder: no file can be made there"
part=$name
(cd "$work" && tar -cf - passdoctor/manifest.json passdoctor/sysfs.json passdoctor/files || echo failed >"$work/tar") |
    $zip >>"$part" || fail "$part: cannot be written"
[ ! -e "$work/tar" ] || fail 'tar could not pack the bundle'
[ -s "$part" ] || fail "$part: nothing was written"
[ $ending = tar ] || gzip -t "$part" 2>/dev/null || fail "$part: cannot be written; is the disk full?"
if ! ln "$part" "$cd_out" 2>/dev/null; then # FAT has no links
    { : >"$cd_out"; } 2>/dev/null || fail "$out: cannot be written"
    mv -f "$part" "$cd_out" || fail "$out: cannot be written"
fi
[ ! -t 2 ] || printf '\r\033[K' >&2
printf '%s: %s bytes\n' "$out" "$(wc -c <"$cd_out" | tr -d ' ')"
[ "$me" = 0 ] || printf '%s\n' \
    'Run it as root to add what only root may read; the kernel log and config space settle most questions.'
printf '%s\n' 'It is NOT redacted: it holds names, addresses and serial numbers. Before you show it to anybody, type' \
    'on a machine that has passdoctor:  passdoctor redact BUNDLE -o BUNDLE-FOR-THE-FORUM'
"""
