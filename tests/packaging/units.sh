#!/bin/sh
# units.sh PACKAGING PROGRAM MAN: the units as they would be installed, with this program.
set -eu
packaging=$1 program=$2 man=$3
command -v systemd-analyze >/dev/null || { echo "left out: there is no systemd-analyze"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for unit in "$packaging"/*.service.in; do
	sed "s|@LYNCAUDIT_PROGRAM@|$program|" "$unit" >"$folder/$(basename "$unit" .in)"
done
cp "$packaging"/*.timer "$folder"

status=0
for unit in "$folder"/*; do
	# manual pages are those of this tree, not what is installed here
	MANPATH=$man systemd-analyze verify --man=no "$unit" >"$folder.said" 2>&1 || status=1
	# a machine without systemd lacks what units of its own ask for
	if grep -F "$(basename "$unit")" "$folder.said"; then
		status=1
	fi
	rm -f "$folder.said"
	for page in $(sed -n 's/^Documentation=man:\(.*\)(\(.\))$/\1.\2/p' "$unit"); do
		[ -f "$man/$page" ] || { echo "$unit: no manual page $page"; status=1; }
	done
done
for unit in "$folder"/*.service; do
	systemd-analyze security --offline=true --threshold=20 --no-pager "$unit" >"$folder.said" || {
		status=1
		grep -v '✓' "$folder.said"
	}
	tail -n 1 "$folder.said"
	rm -f "$folder.said"
done
exit $status
