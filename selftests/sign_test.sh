#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Signatures of policies: what is good, what is refused and in which words, and that only what was verified is loaded.

set -u

top=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd) || exit 1
iox=${IOX:-$top/build/bin/iox}
host=/etc/iox/trusted.d
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
number=0 failed=0

# check NAME COMMAND...: is it so? What COMMAND prints says why not.
check()
{
	local name=$1 verdict=ok said
	shift

	number=$((number + 1))
	if ! said=$("$@" 2>&1); then
		verdict='not ok'
		failed=1
		printf '# %s\n' "${said//$'\n'/$'\n# '}"
	fi
	printf '%s %d %s\n' "$verdict" "$number" "$name"
}

is()
{
	[[ $1 = "$2" ]] || { printf '"%s"\nnot "%s"\n' "$1" "$2"; return 1; }
}

# says STATUS TEXT COMMAND...: it ends with that status, and all it prints, but for its own name, is TEXT
says()
{
	local status=$1 text=$2 output
	shift 2

	output=$("$iox" policy "$@" 2>&1)
	is "$? ${output#iox policy "$1": }" "$status $text"
}

# refuses TEXT FILE [OPTION]...: verify says that of it
refuses()
{
	local text=$1 file=$2
	shift 2

	says 1 "$text" verify "$file" --trust trust "$@"
}

# key NAME [COMMAND]...: NAME.key, made as COMMAND has it, for an elliptic curve if there is none
key()
{
	local name=$1
	shift
	[[ $# -gt 0 ]] || set -- -algorithm EC -pkeyopt ec_paramgen_curve:P-256

	openssl genpkey "$@" -out "$name.key" 2>/dev/null
}

# cert NAME ISSUER EXTENSIONS [OPTION]...: NAME.pem, by ISSUER, which may be NAME itself
cert()
{
	local name=$1 issuer=$2 extensions=$3 by=()
	shift 3

	[[ $issuer = "$name" ]] || by=(-CA "$issuer.pem" -CAkey "$issuer.key" -CAcreateserial)
	[[ ${#by[@]} -gt 0 ]] || by=(-signkey "$name.key")
	printf '%s\n' "$extensions" >"$name.ext"
	openssl req -new -key "$name.key" -subj "/O=Example/CN=$name" -out "$name.csr" &&
		openssl x509 -req -in "$name.csr" "${by[@]}" -extfile "$name.ext" -out "$name.pem" "$@" 2>/dev/null
}

readonly LEAF='basicConstraints=critical,CA:FALSE' CA='basicConstraints=critical,CA:TRUE'

# The database that "openssl ca" wants, which is the only one to choose dates.
dated()
{
	local name=$1 from=$2 to=$3

	printf '%s\n' '[ca]' 'default_ca=c' '[c]' 'database=index' 'serial=serial' 'new_certs_dir=.' 'default_md=sha256' \
		'policy=p' 'unique_subject=no' '[p]' 'organizationName=optional' 'commonName=optional' >ca.conf
	: >index
	echo 1000 >serial
	printf '%s\n' "$LEAF" >"$name.ext"
	openssl req -new -key "$name.key" -subj "/O=Example/CN=$name" -out "$name.csr" &&
		openssl ca -batch -notext -config ca.conf -selfsign -keyfile "$name.key" -in "$name.csr" -extfile "$name.ext" \
			-startdate "$from" -enddate "$to" -out "$name.pem" 2>/dev/null
}

# sign FILE NAME: as NAME, without saying anything
sign()
{
	"$iox" policy sign "$1" --key "$2.key" --cert "$2.pem" >/dev/null
}

# Changes the byte at OFFSET of FILE.
tamper()
{
	local byte
	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059
	printf "\\x$(printf %x $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

make_world()
{
	local name

	cp "$top"/build/bpf/{top_down,first_fit}.bpf.o . &&
		mkdir -p trust empty &&
		for name in signer other root between chained old future appointed; do
			key "$name" || return 1
		done &&
		cert signer signer "$LEAF" -days 30 &&
		cert other other "$LEAF" -days 30 &&
		cert root root "$CA" -days 30 &&
		cert between root "$CA" -days 30 &&
		cert chained between "$LEAF" -days 30 &&
		cert appointed signer "$LEAF" -days 30 &&
		dated old 20200101000000Z 20210101000000Z &&
		dated future 20900101000000Z 20910101000000Z &&
		cp signer.pem trust/ &&
		sign top_down.bpf.o signer
}

echo 'TAP version 13'
check makes_keys_and_certificates make_world
digest=$(sha256sum <top_down.bpf.o) digest=${digest%% *}
good="top_down.bpf.o: signed by CN=signer,O=Example, SHA-256 $digest"

# --- verifying --------------------------------------------------------------------

# copy_with NAME: of the object and its signature
copy_with()
{
	cp top_down.bpf.o "$1.o" && cp top_down.bpf.o.p7s "$1.o.p7s"
}

check a_signature_is_good says 0 "$good" verify top_down.bpf.o --trust trust
check signing_says_the_same says 0 "$good" sign top_down.bpf.o --key signer.key --cert signer.pem
check in_json_too says 0 "{\"file\":\"top_down.bpf.o\",\"signer\":\"CN=signer,O=Example\",\"sha256\":\"$digest\"}" \
	verify --json top_down.bpf.o --trust trust

copy_with changed
tamper changed.o 3000
check of_a_changed_object refuses 'changed.o: the signature changed.o.p7s does not match the file; get both again, or sign it again' changed.o
copy_with longer
printf x >>longer.o
check of_a_longer_object refuses 'longer.o: the signature longer.o.p7s does not match the file; get both again, or sign it again' longer.o
copy_with damaged
tamper damaged.o.p7s $(($(stat -c %s damaged.o.p7s) - 1))
check of_a_damaged_signature refuses 'damaged.o: the signature damaged.o.p7s does not match the file; get both again, or sign it again' damaged.o

nonsense='is no detached CMS signature in DER by one signer; sign again with '\''iox policy sign'\'
copy_with trailing
printf x >>trailing.o.p7s
check of_a_signature_with_something_behind refuses "trailing.o.p7s: $nonsense" trailing.o
copy_with text
echo hello >text.o.p7s
check of_what_is_no_signature refuses "text.o.p7s: $nonsense" text.o
copy_with nobody
openssl crl2pkcs7 -nocrl -certfile signer.pem -outform DER -out nobody.o.p7s
check of_certificates_alone refuses "nobody.o.p7s: $nonsense" nobody.o
echo content >inside.o
openssl cms -sign -binary -nodetach -md sha256 -outform DER -signer signer.pem -inkey signer.key -in inside.o -out inside.o.p7s
check of_a_signature_that_brings_its_own_content refuses "inside.o.p7s: $nonsense" inside.o
copy_with two
openssl cms -sign -binary -md sha256 -outform DER -signer signer.pem -inkey signer.key -signer other.pem -inkey other.key \
	-in two.o -out two.o.p7s
check of_two_signers refuses "two.o.p7s: $nonsense" two.o

check without_a_signature refuses "first_fit.bpf.o: is not signed: there is no first_fit.bpf.o.p7s; sign it with 'iox policy sign'" first_fit.bpf.o
check takes_the_signature_of_another_file_for_nothing refuses \
	'first_fit.bpf.o: the signature top_down.bpf.o.p7s does not match the file; get both again, or sign it again' \
	first_fit.bpf.o --signature top_down.bpf.o.p7s
mv text.o.p7s elsewhere && cp top_down.bpf.o.p7s elsewhere
check finds_a_signature_elsewhere says 0 "${good/#top_down.bpf.o/text.o}" verify text.o -g elsewhere -T trust
openssl cms -sign -binary -md sha512 -outform DER -signer signer.pem -inkey signer.key -in top_down.bpf.o -out by_openssl
check takes_those_of_openssl says 0 "$good" verify top_down.bpf.o -g by_openssl -T trust
openssl cms -sign -binary -md sha256 -nocerts -noattr -outform DER -signer signer.pem -inkey signer.key -in top_down.bpf.o -out bare
check takes_those_without_certificates says 0 "$good" verify top_down.bpf.o -g bare -T trust
openssl cms -sign -binary -md sha1 -outform DER -signer signer.pem -inkey signer.key -in top_down.bpf.o -out weak
check of_a_weak_digest refuses 'top_down.bpf.o: is signed with a digest that is not SHA-256, SHA-384 or SHA-512; sign it again' \
	top_down.bpf.o -g weak

# --- whom to trust ----------------------------------------------------------------

# by NAME: a copy of the object that NAME has signed; its name is NAME.o
by()
{
	copy_with "$1" && sign "$1.o" "$1"
}

distrusted()
{
	echo "$1: the signer is not trusted: CN=$2,O=Example comes from nobody in trust; if it should be, put its certificate there, as *.pem"
}

by other
check of_another_signer refuses "$(distrusted other.o other)" other.o
openssl cms -sign -binary -md sha256 -nocerts -outform DER -signer other.pem -inkey other.key -in other.o -out bare
check of_a_signer_whose_certificate_is_nowhere refuses \
	'other.o: the signer is not trusted: its certificate is not in trust; if it should be, put its certificate there, as *.pem' \
	other.o -g bare
cp other.pem trust/
check of_several_that_are_trusted_each_may_sign says 0 "${good/#top_down.bpf.o: signed by CN=signer/other.o: signed by CN=other}" \
	verify other.o -T trust
rm trust/other.pem
# With the name of one that is trusted, but a key of its own
key signer2 && mv signer.pem signer.kept && mv signer.key signer.kept.key && mv signer2.key signer.key && cert signer signer "$LEAF"
copy_with namesake
sign namesake.o signer
mv signer.kept signer.pem && mv signer.kept.key signer.key
check of_a_namesake refuses "$(distrusted namesake.o signer)" namesake.o

by old
cp old.pem future.pem trust/
check of_a_certificate_that_has_expired refuses \
	'old.o: the certificate of CN=old,O=Example has expired; sign it again with one that is valid' old.o
by future
check of_one_that_is_not_valid_yet refuses \
	'future.o: the certificate of CN=future,O=Example is not valid yet; look at the clock of this host' future.o
rm trust/{old,future}.pem

by chained
cp root.pem trust/
check of_a_chain_with_a_gap refuses "$(distrusted chained.o chained)" chained.o
cat between.pem >>chained.pem
by chained
check a_chain_is_good says 0 "${good/#top_down.bpf.o: signed by CN=signer/chained.o: signed by CN=chained}" verify chained.o -T trust
mv trust/root.pem . && cp between.pem trust/
check one_in_the_middle_can_be_trusted says 0 "${good/#top_down.bpf.o: signed by CN=signer/chained.o: signed by CN=chained}" \
	verify chained.o -T trust
rm trust/between.pem
check of_a_chain_without_its_root refuses "$(distrusted chained.o between)" chained.o
cat signer.pem >>appointed.pem
by appointed
check a_signer_appoints_nobody refuses 'appointed.o: the certificate of CN=signer,O=Example is refused: invalid CA certificate' appointed.o
key short -algorithm RSA -pkeyopt rsa_keygen_bits:1024 && cert short short "$LEAF" -days 30 && cp short.pem trust/
by short
check of_a_weak_key refuses 'short.o: the certificate of CN=short,O=Example is refused: EE certificate key too weak' short.o
rm trust/short.pem
key rsa -algorithm RSA -pkeyopt rsa_keygen_bits:2048 && cert rsa rsa "$LEAF" -days 30 && cp rsa.pem trust/
by rsa
check a_key_of_rsa_is_good says 0 "${good/#top_down.bpf.o: signed by CN=signer/rsa.o: signed by CN=rsa}" verify rsa.o -T trust
rm trust/rsa.pem

key code && cert code code "$LEAF"$'\nextendedKeyUsage=critical,codeSigning' -days 30 && cp code.pem trust/
by code
check a_certificate_for_signing_code_is_good says 0 "${good/#top_down.bpf.o: signed by CN=signer/code.o: signed by CN=code}" \
	verify code.o -T trust
rm trust/code.pem

echo hello >trust/README
check of_other_files_nothing_is_read says 0 "$good" verify top_down.bpf.o -T trust
rm trust/README

nobody='put certificates of who may sign policies there, as *.pem'
check of_an_empty_folder says 1 "empty: has no certificates; $nobody" verify top_down.bpf.o -T empty
check of_no_folder says 1 "nowhere: No such file or directory; $nobody" verify top_down.bpf.o -T nowhere
check of_no_folder_of_the_host says 1 "$host: No such file or directory; $nobody" verify top_down.bpf.o
echo hello >trust/broken.pem
check of_what_is_no_certificate refuses 'trust/broken.pem: is no certificate in PEM' top_down.bpf.o
(cat signer.pem; sed '3d' other.pem) >trust/broken.pem
check of_a_damaged_certificate_behind_a_good_one refuses 'trust/broken.pem: is no certificate in PEM' top_down.bpf.o
rm trust/broken.pem

# --- files ------------------------------------------------------------------------

truncate -s $((16 * 1024 * 1024 + 1)) huge.o
check of_a_huge_object refuses 'huge.o: is larger than 16384 KiB; name the object file of a policy' huge.o
copy_with large
truncate -s 1M large.o.p7s
check of_a_huge_signature refuses 'large.o.p7s: is larger than 256 KiB; name a signature with --signature' large.o
check of_no_file refuses 'none.o: No such file or directory' none.o
check signs_objects_only says 1 'signer.pem: is no BPF object with BTF; compile it with clang -target bpf -g, as '\''make bpf'\'' does' \
	sign signer.pem -k signer.key -c signer.pem
check of_a_key_that_is_not_the_certificates says 1 'other.pem: its first certificate is not that of the key signer.key' \
	sign top_down.bpf.o -k signer.key -c other.pem -o never
check of_what_is_no_key says 1 'signer.pem: is no private key in PEM, or its password is another one' \
	sign top_down.bpf.o -k signer.pem -c signer.pem -o never
check of_no_place_for_it says 1 '/dev/full: No space left on device' sign top_down.bpf.o -k signer.key -c signer.pem -o /dev/full
check leaves_devices_alone [ -c /dev/full ]
check writes_nothing_then [ ! -e never ]
"$iox" policy sign top_down.bpf.o >/dev/null 2>&1
check without_a_key_is_wrong_usage is $? 2

# --- loading ----------------------------------------------------------------------

# loads ARGUMENT...: it does, and takes it out again
loads()
{
	"$iox" policy load "$@" && "$iox" policy unload top_down
}

loads_not()
{
	local text=$1
	shift

	says 1 "$text" load "$@" && is "$("$iox" policy list)" 'no policy loaded: the built-in allocator decides'
}

unsigned="first_fit.bpf.o: is not signed: there is no first_fit.bpf.o.p7s; sign it with 'iox policy sign'"
check loads_unsigned_where_nobody_minds loads changed.o
check loads_what_was_asked_to_be_signed loads --trust trust top_down.bpf.o
check not_what_is_not loads_not "$unsigned" --trust trust first_fit.bpf.o
check not_with_a_signature_and_nobody_to_trust loads_not "$host: No such file or directory; $nobody" \
	-g top_down.bpf.o.p7s top_down.bpf.o
"$iox" policy load --trust trust top_down.bpf.o >/dev/null
check replaces_by_nothing_unsigned says 1 "$unsigned" replace top_down first_fit.bpf.o -T trust
check the_old_one_stays grep -q '^top_down ' <("$iox" policy list)
sign first_fit.bpf.o signer
check replaces_by_what_is_signed "$iox" policy replace top_down first_fit.bpf.o -T trust
"$iox" policy unload first_fit >/dev/null
rm first_fit.bpf.o.p7s

mkdir -p "$host" other_trust
check a_host_that_trusts_nobody_demands_nothing loads changed.o
cp signer.pem "$host/"
check a_host_that_trusts_somebody_demands_it loads_not "$unsigned" first_fit.bpf.o
check and_that_it_is_good loads_not \
	'changed.o: the signature changed.o.p7s does not match the file; get both again, or sign it again' changed.o
check and_loads_what_is_signed loads top_down.bpf.o
cp other.pem other_trust/
check options_take_nothing_back loads_not \
	"$(distrusted other.o other | sed "s|in trust|in $host|")" --trust other_trust other.o
check options_demand_more loads_not "$(distrusted top_down.bpf.o signer | sed 's/in trust/in other_trust/')" \
	--trust other_trust top_down.bpf.o
"$iox" policy load top_down.bpf.o >/dev/null
check replacing_demands_the_same says 1 "$unsigned" replace top_down first_fit.bpf.o
"$iox" policy unload top_down >/dev/null
check verifying_asks_the_host says 0 "$good" verify top_down.bpf.o
check checking_needs_no_signature "$iox" policy check first_fit.bpf.o
mv "$host" "$host.d" && touch "$host"
check of_a_host_whose_rule_cannot_be_read loads_not "$host: Not a directory; it says who may sign policies for this host" top_down.bpf.o
rm -r "$host" "$host.d"

echo "1..$number"
exit $failed
