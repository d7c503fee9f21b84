#!/bin/sh
# Check every manual page; a page that refers to one of ours must find it.
set -eu
cd "$1/docs/man"
status=0
for page in *.[1-9]; do
	# "referenced manual not found" is about what is installed here, not about the page
	if mandoc -T lint "$page" | grep -v 'referenced manual not found'; then
		status=1
	fi
	grep -o '^\.Xr lyncaudit[a-z-]* [0-9]' "$page" | sort -u | while read -r _ name section; do
		[ -f "$name.$section" ] || { echo "$page: $name($section) does not exist"; exit 1; }
	done || status=1
done
exit $status
