#!/bin/sh
# The classifier beside DPDK's librte_acl: both over the same sets and traces, alternating, thread
# CPU time; prints the median of each and the ratio (how many times faster the classifier is).
#
#   filter/benches/peer/run.sh FOLDER [ROUNDS [NAME...]]
#
# FOLDER has NAME.rules and NAME.trace, or the same with .xz. Needs a C compiler, pkg-config and
# libdpdk-dev (Debian 22.11 was used); no huge pages, no privileges.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(cd "$1" && pwd)
rounds=${2:-5}
[ $# -lt 2 ] || shift
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$here/../.."

cc -O3 -march=native -D_GNU_SOURCE -o "$work/acl" "$here/acl.c" \
	$(pkg-config --cflags libdpdk) -lrte_acl -lrte_eal -lpthread
bench=$(cargo bench --no-run --bench classifier 2>&1 | sed -n 's/.*Executable.*(\(.*\)).*/\1/p')
case $bench in /*) ;; *) bench=$(cargo locate-project --workspace --message-format plain | xargs dirname)/$bench ;; esac

if [ $# -eq 0 ]; then
	set -- $(ls "$folder" | sed -n 's/\.rules\(\.xz\)\{0,1\}$//p' | sort -u)
fi
for name; do
	for kind in rules trace; do
		if [ -f "$folder/$name.$kind" ]; then
			ln -sf "$folder/$name.$kind" "$work/$name.$kind"
		else
			xz -dc "$folder/$name.$kind.xz" > "$work/$name.$kind"
		fi
	done
	: > "$work/peer.out"
	: > "$work/ours.out"
	for _ in $(seq "$rounds"); do
		"$work/acl" "$work" "$name" 7 >> "$work/peer.out"
		HOSTWARD_RULES=$work "$bench" "$name" >> "$work/ours.out"
	done
	awk -v name="$name" '
		function median(list,   n, a, i, j, t) {
			n = split(list, a, " ")
			for (i = 2; i <= n; i++)
				for (j = i; j > 1 && a[j - 1] + 0 > a[j] + 0; j--) {
					t = a[j]; a[j] = a[j - 1]; a[j - 1] = t
				}
			return a[int((n + 1) / 2)]
		}
		{
			side = FILENAME ~ /peer/ ? "peer" : "ours"
			for (i = 2; i <= NF; i++) {
				split($i, kv, "=")
				seen[side, kv[1]] = seen[side, kv[1]] " " kv[2]
			}
		}
		END {
			for (k in seen) value[k] = median(seen[k])
			best["peer"] = best["ours"] = 1e9
			n = split("scalar sse avx2 avx512x16 avx512x32", m, " ")
			for (i = 1; i <= n; i++)
				if (("peer", m[i]) in value && value["peer", m[i]] + 0 < best["peer"]) best["peer"] = value["peer", m[i]] + 0
			n = split("portable avx2 avx512", m, " ")
			for (i = 1; i <= n; i++)
				if (("ours", m[i]) in value && value["ours", m[i]] + 0 < best["ours"]) best["ours"] = value["ours", m[i]] + 0
			printf "%-11s single %6.1f / %6.1f = %4.1fx   batch %6.1f / %6.1f = %4.1fx   portable %6.1f / %6.1f = %4.1fx   build ms %7.1f / %7.1f   MiB %6.2f / %6.2f   wrong %d / %d\n", \
				name, value["ours", "single"], value["peer", "single"], value["peer", "single"] / value["ours", "single"], \
				best["ours"], best["peer"], best["peer"] / best["ours"], \
				value["ours", "portable"], value["peer", "scalar"], value["peer", "scalar"] / value["ours", "portable"], \
				value["ours", "build_ms"], value["peer", "build_ms"], value["ours", "mib"], value["peer", "mib"], \
				value["ours", "wrong"], value["peer", "wrong"]
		}' "$work/peer.out" "$work/ours.out"
done
