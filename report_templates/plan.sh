# What the steps below are written in. Every edit is made to a copy first; only if all of them fit is anything changed.

root=${PASSDOCTOR_ROOT:-}
state=$root/var/lib/passdoctor/$plan
failed=0

told() { printf '%s\n' "$*"; }
stop() { printf 'passdoctor: %s\n' "$*" >&2; exit 2; }

begin() {
    if [ -z "$root" ] && [ "$(id -u)" != 0 ] && [ "$mode" != dry-run ]; then
        stop "this has to be run as root (or with --dry-run, which changes nothing)"
    fi
    umask 022
    work=$(mktemp -d) || stop "no temporary folder could be made"
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' HUP INT TERM
    : > "$work/files"
}

# expect_device ADDRESS VENDOR:DEVICE: this is the host that the plan was made for.
expect_device() {
    [ -z "$root" ] || return 0
    seen="$root/sys/bus/pci/devices/$1"
    [ -e "$seen/vendor" ] || stop "there is no device $1 here: the plan is another host's, or cards were moved since"
    ids="$(cat "$seen/vendor"):$(cat "$seen/device")"
    [ "$ids" = "0x${2%:*}:0x${2#*:}" ] || stop "the device $1 is another one here ($ids): the plan is another host's"
}

need() {
    command -v "$1" > /dev/null || stop "the command $1 is not there: the plan does not fit this system"
}

# stage PATH: a copy of the file to work on; of a file that is not there, an empty one.
stage() {
    grep -Fqx -e "$1" "$work/files" && return 0
    mkdir -p "$work/new$(dirname "$1")"
    if [ -e "$root$1" ]; then
        cat "$root$1" > "$work/new$1" || stop "$1 cannot be read"
    else
        : > "$work/new$1"
    fi
    printf '%s\n' "$1" >> "$work/files"
}

# lines PATH AT: the - lines of the standard input, together in the file, become its + lines; AT is where they
# were seen, 0 if that is not known. Without - lines, + lines that are not in the file are put at its end.
lines() {
    stage "$1"
    awk -v at="$2" '
        function bare(text) { sub(/\r$/, "", text); return text }
        function fits(from, want, count,    i) {
            if (from < 1 || from + count - 1 > have) return 0
            for (i = 1; i <= count; i++) if (bare(file[from + i - 1]) != want[i]) return 0
            return 1
        }
        function anywhere(want, count,    i) {
            for (i = 1; i + count - 1 <= have; i++) if (fits(i, want, count)) return i
            return 0
        }
        FNR == 1 { part++ }
        part == 1 && /^-/ { old[++olds] = substr($0, 2) }
        part == 1 && /^\+/ { new[++news] = substr($0, 2) }
        part > 1 { file[++have] = $0 }
        END {
            if (!olds) {
                for (i = 1; i <= news; i++) { one[1] = new[i]; if (!anywhere(one, 1)) file[++have] = new[i] }
                for (i = 1; i <= have; i++) print file[i]
                exit 0
            }
            for (i = 1; i <= olds && news >= olds; i++) { begins = 1; if (old[i] != new[i]) { begins = 0; break } }
            first = begins && anywhere(new, news) ? 0 : anywhere(old, olds)
            if (!first) {
                if (news && !anywhere(new, news)) exit 3
                for (i = 1; i <= have; i++) print file[i]
                exit 0
            }
            where = fits(at, old, olds) ? at : first
            if (where == first) for (i = first + 1; i <= have; i++) if (where != at && fits(i, old, olds)) exit 4
            for (i = 1; i < where; i++) print file[i]
            for (i = 1; i <= news; i++) print new[i]
            for (i = where + olds; i <= have; i++) print file[i]
        }
    ' - "$work/new$1" > "$work/edited" || unfit "$1" "$?"
    cat "$work/edited" > "$work/new$1"
}

# words STYLE PATH NAME: within the line that holds parameters, - words go (~ words if they are there; NAME=* is
# every word of that name) and + words come, at the end (^ words at the front). STYLE: shell, NAME="…"; array,
# NAME=(…); keyword, a line that begins with NAME; line, all of the file's first line.
words() {
    [ -e "$root$2" ] || stop "$2 is not there: the plan does not fit this system"
    stage "$2"
    awk -v style="$1" -v name="$3" '
        function norm(word,    at, key) {
            at = index(word, "="); key = at ? substr(word, 1, at - 1) : word
            gsub(/-/, "_", key); return key (at ? substr(word, at) : "")
        }
        function matches(word, wish) {
            if (wish !~ /=\*$/) return norm(word) == norm(wish)
            wish = norm(substr(wish, 1, length(wish) - 2)); word = norm(word)
            return word == wish || index(word, wish "=") == 1
        }
        function named(text) {
            sub(/^[ \t]*(export[ \t]+)?/, "", text)
            if (style == "keyword") return index(text, name " ") == 1 || index(text, name "\t") == 1 || text == name
            if (index(text, name "=") == 1) return 2
            return index(text, name "+=") == 1
        }
        FNR == 1 { part++ }
        part == 1 { sign[++wishes] = substr($0, 1, 1); wish[wishes] = substr($0, 2) }
        part > 1 {
            file[++have] = $0; sub(/\r$/, "", file[have])
            if (style == "line") { if (!at && file[have] ~ /[^ \t]/) at = have }
            else if (kind = named(file[have])) { if (kind >= best) { at = have; best = kind } }
        }
        END {
            if (!at) exit 5
            text = file[at]
            if (style == "line") { head = ""; body = text; tail = "" }
            else if (style == "keyword") {
                match(text, "^[ \t]*" name "[ \t]*"); head = substr(text, 1, RLENGTH)
                if (head !~ /[ \t]$/) head = head " "
                body = substr(text, RLENGTH + 1); tail = ""
            } else {
                equals = index(text, "="); head = substr(text, 1, equals); rest = substr(text, equals + 1)
                open = substr(rest, 1, 1); close_ = open == "(" ? ")" : open
                if (open == "\"" || open == "\047" || open == "(") {
                    for (i = 2; i <= length(rest); i++) {
                        c = substr(rest, i, 1)
                        if (c == "\\" && open == "\"") { i++; continue }
                        if (c == close_) break
                    }
                    if (i > length(rest)) exit 6
                    head = head open; body = substr(rest, 2, i - 2); tail = substr(rest, i)
                } else {
                    if (!match(rest, /[ \t#]/)) RSTART = length(rest) + 1
                    body = substr(rest, 1, RSTART - 1); tail = substr(rest, RSTART)
                    head = head "\""; tail = "\"" tail
                }
            }
            held = split(body, word, /[ \t]+/); first = last = ""
            # The kernel reads nothing behind a lone --.
            for (end = 1; end <= held; end++) if (word[end] == "--") break
            for (w = 1; w <= wishes; w++) {
                if (sign[w] == "+" || sign[w] == "^") {
                    for (i = 1; i < end; i++) if (word[i] != "" && norm(word[i]) == norm(wish[w])) break
                    if (i < end) continue
                    for (i = end + 1; i <= held; i++) if (norm(word[i]) == norm(wish[w])) word[i] = ""
                    if (sign[w] == "+") last = last " " wish[w]; else first = first wish[w] " "
                    continue
                }
                hit = 0
                for (i = 1; i <= held; i++)
                    if (word[i] != "" && matches(word[i], wish[w]) && !wanted(word[i])) { word[i] = ""; hit = 1 }
                if (!hit && sign[w] == "-" && !all_there()) exit 3
            }
            out = behind = ""
            for (i = 1; i < end; i++) if (word[i] != "") out = out " " word[i]
            for (i = end + 1; i <= held; i++) if (word[i] != "") behind = behind " " word[i]
            if (end == held || behind != "") behind = (end <= held ? " " word[end] : "") behind
            out = first substr(out, 2) last behind; sub(/^ /, "", out); sub(/ $/, "", out)
            was = body; gsub(/[ \t]+/, " ", was); sub(/^ /, "", was); sub(/ $/, "", was)
            if (out != was) file[at] = head out tail
            for (i = 1; i <= have; i++) print file[i]
        }
        # A word that is to be there is not taken away by a ~NAME=* beside it.
        function wanted(text,    i) {
            for (i = 1; i <= wishes; i++)
                if ((sign[i] == "+" || sign[i] == "^") && norm(wish[i]) == norm(text)) return 1
            return 0
        }
        # Whether every + word stands already: then this was done before.
        function all_there(    i, j, any) {
            for (i = 1; i <= wishes; i++) if (sign[i] == "+") {
                any = 0
                for (j = 1; j <= held; j++) if (word[j] != "" && norm(word[j]) == norm(wish[i])) any = 1
                if (!any) return 0
            }
            return 1
        }
    ' - "$work/new$2" > "$work/edited" || unfit "$2" "$?"
    cat "$work/edited" > "$work/new$2"
}

# every STYLE PATTERN NAME: `words` in each file that the pattern names.
every() {
    cat > "$work/wish"
    found=0
    for file in "$root"$2; do
        [ -e "$file" ] || continue
        found=1
        words "$1" "${file#"$root"}" "$3" < "$work/wish"
    done
    [ "$found" = 1 ] || stop "no file is named $2: the plan does not fit this system"
}

# whole PATH MODE: the standard input is the whole file.
whole() {
    stage "$1"
    cat > "$work/new$1"
    mkdir -p "$work/mode$(dirname "$1")"
    printf '%s\n' "$2" > "$work/mode$1"
}

# gone PATH: the file goes, if it holds nothing but what was seen (the standard input), blank lines and comments.
gone() {
    [ -e "$root$1" ] || return 0
    stage "$1"
    awk 'FNR == 1 { part++ } part == 1 { seen[$0] = 1 } part > 1 { sub(/\r$/, "") }
         part > 1 && !($0 in seen) && !/^[ \t]*(#.*)?$/ { exit 3 }' - "$work/new$1" || unfit "$1" 3
    mkdir -p "$work/gone$(dirname "$1")"
    : > "$work/gone$1"
}

unfit() {
    case $2 in
        3) stop "$1 no longer holds what was seen: examine this host again" ;;
        4) stop "$1 holds that line more than once: change it by hand" ;;
        5) stop "$1 has no line of that name: change it by hand" ;;
        *) stop "$1 is not written in a way that can be changed safely: change it by hand" ;;
    esac
}

# show: what would be changed.
show() {
    while read -r path; do
        if [ -e "$work/gone$path" ]; then
            told "delete $path"
        elif [ ! -e "$root$path" ]; then
            told "new file $path:"
            sed 's/^/+/' "$work/new$path"
        elif cmp -s "$root$path" "$work/new$path"; then
            told "$path is as wanted already"
        elif command -v diff > /dev/null; then
            diff -u "$root$path" "$work/new$path"
        else
            told "change $path"
        fi
    done < "$work/files"
}

# commit: every file, after a copy of it, with what it takes to go back.
commit() {
    while read -r path; do
        if [ -e "$root$path" ] && [ ! -e "$work/gone$path" ] && cmp -s "$root$path" "$work/new$path"; then
            continue
        fi
        for kind in before new after; do mkdir -p "$state/$kind$(dirname "$path")"; done
        if [ ! -e "$root$path" ]; then
            [ -e "$state/before$path" ] || : > "$state/new$path"
        elif [ ! -e "$state/before$path" ] && [ ! -e "$state/new$path" ]; then
            cp -p "$root$path" "$state/before$path" || stop "$path could not be copied"
        fi
        if [ -e "$work/gone$path" ]; then
            rm -f "$root$path" "$state/after$path"
            continue
        fi
        mkdir -p "$root$(dirname "$path")"
        cat "$work/new$path" > "$root$path" || stop "$path could not be written; its copy is $state/before$path"
        if [ -e "$work/mode$path" ]; then chmod "$(cat "$work/mode$path")" "$root$path"; fi
        cat "$work/new$path" > "$state/after$path"
    done < "$work/files"
    mkdir -p "$state"
}

# ran NUMBER STATUS COMMAND: remembers what was run, or says what was not.
ran() {
    if [ "$2" = 0 ]; then
        : > "$state/ran-$1"
    else
        printf 'passdoctor: this ended with status %s: %s\n' "$2" "$3" >&2
        failed=1
    fi
}

# keep_key VM KEY COMMAND...: keeps what the key of the guest is, by what the command prints.
keep_key() {
    [ ! -e "$state/vm-$1-$2" ] || return 0
    kept="$state/vm-$1-$2"
    key=$2
    shift 2
    "$@" > "$work/vm" || return 1
    sed -n "s/^$key: //p" "$work/vm" > "$kept"
}

# kept_key VM KEY: whether that was kept; it is in `old` then.
kept_key() {
    [ -e "$state/vm-$1-$2" ] || return 1
    old=$(cat "$state/vm-$1-$2")
}

# begin_back: whether there is anything to take back.
begin_back() {
    [ -n "$root" ] || [ "$(id -u)" = 0 ] || stop "this has to be run as root"
    if [ ! -d "$state" ]; then
        told "There is nothing to take back: the plan was not carried out here, or was taken back already."
        exit 0
    fi
}

# back PATH: the file as it was before the plan, if nobody changed it since.
back() {
    if [ -e "$state/after$1" ]; then
        if ! cmp -s "$root$1" "$state/after$1"; then
            printf 'passdoctor: %s was changed since and stays; its copy is %s\n' "$1" "$state/before$1" >&2
            failed=1
            return 0
        fi
        if [ -e "$state/new$1" ]; then rm -f "$root$1"; else cp -p "$state/before$1" "$root$1"; fi
        told "$1 is as it was"
    elif [ -e "$state/before$1" ]; then
        if [ -e "$root$1" ]; then
            printf 'passdoctor: %s is there again and stays; its copy is %s\n' "$1" "$state/before$1" >&2
            failed=1
            return 0
        fi
        cp -p "$state/before$1" "$root$1" && told "$1 is as it was"
    else
        return 0
    fi
    rm -f "$state/before$1" "$state/new$1" "$state/after$1"
    changed=1
}

# every_back PATTERN: `back` for each file that the pattern names.
every_back() {
    for file in "$state/after"$1; do
        [ ! -e "$file" ] || back "${file#"$state/after"}"
    done
}
