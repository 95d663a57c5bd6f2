"""The shell collector's text: its header, and the functions that read; `shell` fills in what stands between @."""

__all__ = ["BODY", "HEAD"]

HEAD = r"""#!/bin/sh
# The collector of passdoctor @VERSION@ for hosts without Python, printed by `passdoctor collect --print-script`.
#
#     sh THIS-FILE [OUTPUT]        (as root, for the kernel's log and the devices' config space)
#
# It reads what tells whether this host can pass PCI devices through to virtual machines, and writes one bundle
# (default: ./passdoctor-TIME-unredacted.tar.gz). It changes nothing, loads no module and uses no network.
# It does NOT redact: the bundle holds host names, addresses and serial numbers. Before you show it to anybody,
# type on a machine that has passdoctor:
#
#     passdoctor redact BUNDLE -o BUNDLE-FOR-THE-FORUM
"""

BODY = r"""
set -u
umask 077
LC_ALL=C
PATH=@PATH@
export LC_ALL PATH
root=${PASSDOCTOR_ROOT:-} # a copy of a host's files, for tests: no command is run then
line='
'
old_ifs=$IFS
me=$(id -u 2>/dev/null || echo 1)
renice -n 19 -p $$ >/dev/null 2>&1 || : # the I/O priority follows

fail() {
    printf 'passdoctor: %s\n' "$1" >&2
    exit 2
}

for need in tar head grep mkdir rm ln date tail tr wc cat sed; do
    command -v "$need" >/dev/null 2>&1 || fail "the program $need is needed, and not here"
done
[ "$(printf ab | head -c 1 2>/dev/null)" = a ] || fail "this system's head does not know -c"
limited='' limited20=''
if timeout 5 true >/dev/null 2>&1; then
    limited='timeout 10' limited20='timeout 20'
elif timeout -t 5 true >/dev/null 2>&1; then # busybox before 1.30
    limited='timeout -t 10' limited20='timeout -t 20'
fi

zip=cat ending=tar
if command -v gzip >/dev/null 2>&1; then
    zip='gzip -9' ending=tar.gz
fi
out=${1:-passdoctor-$(date -u +%Y%m%d-%H%M%S)-unredacted.$ending}
case $out in
    */*) folder=${out%/*}/ ;;
    *) folder=./ out=./$out ;;
esac
[ -d "$folder" ] || fail "$folder: no such folder"
if [ -e "$out" ] || [ -L "$out" ]; then
    fail "$out: exists already, and is not overwritten"
fi

work='' part=''
clean() {
    [ -z "$work" ] || rm -rf "$work"
    [ -z "$part" ] || rm -f "$part"
}
trap clean EXIT
trap 'trap "" PIPE; clean; printf "\npassdoctor: interrupted; nothing was written\n" >&2; exit 130' HUP INT TERM PIPE
temporary=${TMPDIR:-/tmp}
if command -v mktemp >/dev/null 2>&1; then
    work=$(mktemp -d "$temporary/.passdoctor-XXXXXX") || fail "$temporary: no folder can be made there"
else
    mkdir "$temporary/.passdoctor-$$" || fail "$temporary: no folder can be made there"
    work=$temporary/.passdoctor-$$
fi
stage=$work/passdoctor/files
mkdir -p "$stage" || fail "$work: cannot be written"
for name in entries links listings exists; do
    : >"$work/$name" || fail "$work: cannot be written"
done

# What JSON can hold as it is: names with anything else are passed over.
plain() {
    case $1 in
        *[!\ -~]* | *\"* | *\\*) return 1 ;;
    esac
}

# entry PATH HOW STATE REASON [COMMAND]: a line of the manifest
entry() {
    reason=null command=null
    [ -z "$4" ] || reason="\"$(printf '%s' "$4" | tr -cd ' !#-[]-~' | head -c 300)\""
    [ -z "${5:-}" ] || command="\"$5\""
    printf '{"path":"%s","how":"%s","state":"%s","reason":%s,"command":%s},\n' "$1" "$2" "$3" "$reason" "$command" \
        >>"$work/entries" || full
}

full() { fail "$work: cannot be written; is it full?"; }

# Whether nothing is at a path, or only somebody with more rights could tell.
missing() {
    above=${1%/*}
    while [ -n "$above" ] && [ ! -e "$above" ]; do
        above=${above%/*}
    done
    if [ -n "$above" ] && [ -d "$above" ] && [ ! -x "$above" ]; then
        entry "$2" "$3" denied 'Permission denied'
    elif [ "$4" = literal ]; then
        entry "$2" "$3" absent ''
    fi
}

room() {
    case $1 in
        */*) [ -d "$stage/${1%/*}" ] || mkdir -p "$stage/${1%/*}" || full ;;
    esac
}

# take_file NAME PATH LIMIT WORDS KIND, where KIND is literal or one of many
take_file() {
    if [ ! -e "$1" ] && [ ! -L "$1" ]; then
        missing "$1" "$2" file "$5"
        return
    fi
    case $2 in
        sys/* | proc/*) [ ! -L "$1" ] || return 0 ;;
        *)
            if [ -L "$1" ] && [ "$(readlink -f "$1" 2>/dev/null)" = /dev/null ]; then
                room "$2"
                : >"$stage/$2" || full
                entry "$2" file whole 'a link to /dev/null: masks its namesakes'
                return
            fi
            ;;
    esac
    if [ ! -f "$1" ]; then # a pipe or a device would act, or wait for ever
        [ ! -e "$1" ] || entry "$2" file failed 'not a regular file'
        return
    fi
    case $2 in
        sys/module/*)
            # shellcheck disable=SC2012 # the mode is wanted, not the name
            case $(ls -ldn "$1") in
                ?[!r]??[!r]??[!r]*) return ;; # a parameter that can only be set
            esac
            ;;
    esac
    if [ ! -r "$1" ]; then
        entry "$2" file denied 'Permission denied'
        return
    fi
    room "$2"
    if [ -n "$4" ]; then
        take_lines "$@"
    else
        take_start "$@"
    fi
}

take_start() {
    if ! $limited head -c "$(($3 + 1))" "$1" >"$stage/$2" 2>"$work/error"; then
        failed "$2" file
        return
    fi
    case $2 in
        sys/*/config)
            [ "$me" = 0 ] || entry "$2" file cut 'without root only a part'
            return
            ;;
        sys/*) return ;; # the kernel gives no more than a page
        proc/iomem)
            if [ "$me" != 0 ] && head -n 1 "$stage/$2" | grep -q '^00000000-00000000'; then
                entry "$2" file whole 'addresses are hidden from ordinary users'
                return
            fi
            ;;
    esac
    shorten "$2" "$3" && entry "$2" file cut "only the first $3 bytes"
}

# take_lines NAME PATH LIMIT WORDS: the lines with one of the words, which stand between semicolons
take_lines() {
    words=$(printf '%s' "$4" | tr ';' '\n')
    unpack='cat -'
    case $1 in
        *.gz) unpack='gzip -dc' ;;
    esac
    $limited head -c 67108864 "$1" 2>"$work/error" | $unpack 2>/dev/null | grep -F -e "$words" |
        head -c "$(($3 + 1))" >"$stage/$2" || :
    if [ -s "$work/error" ]; then
        failed "$2" file
        return
    fi
    said="only lines with $(printf '%s' "$4" | sed 's/;/, /g')"
    if shorten "$2" "$3"; then
        entry "$2" file cut "$said, and not all of them"
    else
        entry "$2" file filtered "$said"
    fi
}

failed() {
    rm -f "$stage/$1"
    case $(cat "$work/error") in
        *denied* | *'not permitted'*) entry "$1" "$2" denied "$(tail -n 1 "$work/error")" ;;
        *) entry "$1" "$2" failed "$(tail -n 1 "$work/error")" ;;
    esac
}

# shorten PATH LIMIT: cut a piece between lines if it is too long; false if it is not
shorten() {
    [ "$(wc -c <"$stage/$1")" -gt "$2" ] || return 1
    head -c "$2" "$stage/$1" | sed '$d' >"$work/short"
    cat "$work/short" >"$stage/$1" || full
}

# take_log NAME PATH LIMIT WORDS: a file with the kernel's log
take_log() {
    [ -z "$begins" ] || return 0
    if [ ! -f "$1" ]; then
        missing "$1" "$2" file literal
        return
    fi
    if [ ! -r "$1" ]; then
        entry "$2" file denied 'Permission denied'
        return
    fi
    room "$2"
    if [ -n "$4" ]; then
        $limited tail -c 67108864 "$1" 2>/dev/null | grep -F -e "$4" >"$stage/$2" || :
    else
        $limited tail -c 67108864 "$1" >"$stage/$2" 2>/dev/null || :
    fi
    if relevant "$2" "$3"; then
        entry "$2" file cut "after $(($3 / 2)) bytes only lines of known messages"
    elif [ "$(wc -c <"$1")" -gt 67108864 ]; then
        entry "$2" file cut 'only its last 64 MiB'
    elif [ -n "$4" ]; then
        entry "$2" file filtered "only lines with $4"
    fi
}

# relevant PATH LIMIT: of a log that is too long, the beginning and the lines of known messages; false if it is not
relevant() {
    [ "$(wc -c <"$stage/$1")" -gt "$2" ] || return 1
    half=$(($2 / 2))
    head -c "$half" "$stage/$1" | sed '$d' >"$work/short"
    printf '%s\n' '-- passdoctor: lines without a word of any known message left out here, maybe messages lost' \
        >>"$work/short"
    tail -c "+$half" "$stage/$1" | sed 1d | grep -F -f "$work/words" >"$work/rest"
    if [ "$(wc -c <"$work/rest")" -gt "$half" ]; then
        tail -c "$half" "$work/rest" | sed 1d >>"$work/short"
    else
        cat "$work/rest" >>"$work/short"
    fi
    cat "$work/short" >"$stage/$1" || full
}

take_listing() { # NAME PATH
    if [ ! -d "$1" ]; then
        missing "${1%/}" "$2" listing literal
        return
    fi
    if [ ! -r "$1" ]; then
        entry "$2" listing denied 'Permission denied'
        return
    fi
    names='' count=0
    for one in "$1"* "$1".[!.]*; do
        if [ -e "$one" ] || [ -L "$one" ]; then
            one=${one##*/}
            count=$((count + 1))
            if plain "$one" && [ $count -le 8192 ]; then
                names="$names,\"$one\""
            fi
        fi
    done
    printf '"%s":[%s],\n' "$2" "${names#,}" >>"$work/listings" || full
}

take_link() { # NAME PATH
    [ -L "$1" ] || return 0
    target=$(readlink "$1" 2>/dev/null) || return 0
    plain "$target" && printf '"%s":"%s",\n' "$2" "$target" >>"$work/links"
}

# take_command PATH LIMIT LOG PROGRAM ARGUMENTS...
take_command() {
    path=$1 limit=$2 log=$3
    shift 3
    show "$*"
    if ! command -v "$1" >/dev/null 2>&1; then
        entry "$path" command absent "$1 is not installed" "$*"
        return
    fi
    room "$path"
    most=$((limit + 1))
    [ -z "$log" ] || most=67108864
    echo 0 >"$work/status" || full
    { $limited20 "$@" </dev/null 2>"$work/error" || echo $? >"$work/status"; } | head -c "$most" >"$stage/$path"
    status=$(cat "$work/status") state=whole why=''
    said=$(grep -v -c -e '^$' -e '^-- ' "$stage/$path")
    case $status in
        124 | 143) state=cut why='took longer than 20 s' ;;
    esac
    if [ -n "$log" ] && relevant "$path" "$limit"; then
        state=cut why="after $((limit / 2)) bytes only lines of known messages"
    elif shorten "$path" "$limit"; then
        state=cut why="only the first $limit bytes"
    fi
    if [ "$said" = 0 ]; then
        case $(tr '[:upper:]' '[:lower:]' <"$work/error") in
            *'not permitted'* | *permission* | *denied* | *'not seeing'*) state=denied why=$(tail -n 1 "$work/error") ;;
            *)
                if [ "$status" != 0 ] || [ -s "$stage/$path" ]; then
                    state=failed why=$(head -n 1 "$work/error")
                fi
                ;;
        esac
        [ $state = whole ] || rm -f "$stage/$path"
    fi
    entry "$path" command $state "$why" "$*"
    if [ -n "$log" ] && [ -f "$stage/$path" ] && head -n 5 "$stage/$path" | grep -q 'Linux version'; then
        begins=yes
    fi
}

# take HOW LIMIT PATH WORDS: every file that fits an item of the catalogue
take() {
    case $3 in
        lib/modules/*) ;;
        lib/*) [ ! -L "$root/lib" ] || return 0 ;;
    esac
    many=literal count=0
    case $3 in
        *\**) many=many ;;
    esac
    IFS=''
    # shellcheck disable=SC2086 # the pattern is meant
    set -- "$1" "$2" "$4" $root/$3
    IFS=$old_ifs
    how=$1 limit=$2 keep=$3
    shift 3
    for name; do
        path=${name#"$root"/}
        plain "$path" || continue
        case $path in
            *\**) continue ;; # nothing fits
            @NEVER@) continue ;; # to read these acts on the device
        esac
        count=$((count + 1))
        [ $count -le 8192 ] || return 0
        case $how in
            file) take_file "$name" "$path" "$limit" "$keep" $many ;;
            log) take_log "$name" "$path" "$limit" "$keep" ;;
            listing) take_listing "$name" "$path" ;;
            link) take_link "$name" "$path" ;;
            exists)
                if [ -e "$name" ]; then
                    printf '"%s",' "$path" >>"$work/exists" || full
                else
                    missing "$name" "$path" exists literal
                fi
                ;;
        esac
    done
}

show() {
    [ ! -t 2 ] || printf '\r\033[Kcollecting: %.60s' "$1" >&2
}

cat >"$work/words" <<'END' || full
@WORDS@
END
"""
