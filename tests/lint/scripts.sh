#!/bin/sh
# scripts.sh SOURCE: scripts that the gate does not run can be read by a shell, and the long
# checks are all there.
set -eu
cd "$1"
bad=0
for script in scripts/*; do
	case $(head -n 1 "$script") in
	*python*) ;;
	*) sh -n "$script" || bad=1 ;;
	esac
done
all=$(sed -n 's/^all="\(.*\)"$/\1/p' scripts/check-long)
[ -n "$all" ] || { echo "scripts/check-long: no list of checks"; bad=1; }
for check in $all; do
	grep -q "^check_$check() {" scripts/check-long || { echo "scripts/check-long: no $check"; bad=1; }
	grep -q "^#   $check " scripts/check-long || { echo "scripts/check-long: $check is not explained"; bad=1; }
done
status=0
scripts/check-long nothing 2>/dev/null || status=$?
[ "$status" -eq 2 ] || { echo "scripts/check-long: it took a check that is none"; bad=1; }
exit $bad
