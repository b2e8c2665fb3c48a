//! Every finding code in one table: what it means and how to see the same by hand.
//!
//! Codes are stable: a code is never given a second meaning, and a code that is no longer raised stays in the table.

use serde::Serialize;

use crate::Severity;

/// One code of the table, as `landfall explain` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FindingCode {
    /// `LF-<AREA>-<NNN>`.
    pub code: &'static str,
    /// The severity unless the finding says otherwise.
    pub severity: Severity,
    /// What is the case, without the values of one audit.
    pub title: &'static str,
    /// What it means and why it matters.
    pub meaning: &'static str,
    /// How to check by hand. Words in capitals stand for the target's own values.
    pub by_hand: &'static str,
}

/// Every code that a diagnosis can raise, in the order in which findings of one severity are listed.
pub fn finding_codes() -> &'static [FindingCode] {
    ALL
}

macro_rules! codes {
    ($($name:ident = $code:literal $severity:ident $title:literal $meaning:literal $by_hand:literal;)*) => {
        $(pub(crate) const $name: FindingCode = FindingCode {
            code: $code,
            severity: Severity::$severity,
            title: $title,
            meaning: $meaning,
            by_hand: $by_hand,
        };)*
        const ALL: &[FindingCode] = &[$($name),*];
    };
}

codes! {
    DNS_NO_SUCH_NAME = "LF-DNS-001" Critical
        "The production name does not exist"
        "The zone's servers say NXDOMAIN (RFC 2308): neither this name nor anything below it exists. Usual reasons are a record that was never created, a typing mistake, or a zone that moved to a provider where it is empty. Resolvers remember the answer for the smaller of the SOA's TTL and its last field."
        "dig HOST A; dig HOST SOA";
    DNS_NO_ADDRESS = "LF-DNS-002" Critical
        "The production name has no address"
        "The name exists, but has neither an A nor an AAAA record (NODATA, RFC 2308), so no client can connect."
        "dig HOST A; dig HOST AAAA";
    DNS_PLANNED = "LF-DNS-051" Low
        "DNS does not answer what the project's own records say"
        "Files of the project (Terraform, octoDNS, dnscontrol, CloudFormation, external-dns, zone files) give the name another record than the zone has: they were never carried out, were carried out at a provider to which nobody is sent, or the zone was changed by hand since. The next run of that tool changes what is served."
        "dig @NAMESERVER +norec HOST A; terraform plan (octodns-sync, dnscontrol preview)";
    DNS_RESOLVER_FAILS = "LF-DNS-003" High
        "A resolver cannot answer for the production name"
        "SERVFAIL means that the resolver found no valid answer: broken DNSSEC, name servers that do not answer, or a CNAME loop. REFUSED means that it will not serve the question. An extended error (RFC 8914), where there is one, names the reason."
        "dig HOST A; dig +cd HOST A (an answer with +cd and none without means DNSSEC)";
    DNS_RECURSIVE_DIFFERS = "LF-DNS-004" Medium
        "Recursive and authoritative servers give different addresses"
        "A resolver still hands out what it learnt earlier, or sees another view of the zone. Until its TTL has run out, its users reach the old place. Addresses that a CDN rotates are not reported: only sets with nothing in common and with different owners are."
        "dig HOST A; dig @NAMESERVER +norec HOST A";
    DNS_AUTHORITATIVE_DIFFER = "LF-DNS-005" Medium
        "The zone's own servers disagree"
        "Name servers of one zone give different addresses, so the outcome depends on which one a resolver happens to ask. Usually one of them did not receive the last change of the zone."
        "for each name server: dig @NAMESERVER +norec HOST A; dig @NAMESERVER +norec ZONE SOA";
    DNS_LAME = "LF-DNS-006" Medium
        "A name server of the zone does not serve it"
        "The zone's NS set names a server that refuses, does not answer, or answers without authority (a lame delegation, RFC 8499). Lookups that go there fail or wait; at some providers a stranger can claim the zone."
        "dig @NAMESERVER +norec ZONE SOA (look for the aa flag)";
    DNS_NO_IPV6 = "LF-DNS-007" Info
        "The production name has no IPv6 address"
        "Clients on networks that have IPv6 only need a translator to reach it."
        "dig HOST AAAA";
    DNS_NO_CAA = "LF-DNS-008" Info
        "No CAA record limits who may issue certificates"
        "Without a CAA record (RFC 8659) at the name or above it, every public authority may issue for it."
        "dig HOST CAA; dig ZONE CAA";
    DNS_CAA_FORBIDS_ISSUER = "LF-DNS-009" Medium
        "CAA does not allow the issuer of the present certificate"
        "The CAA set (RFC 8659) names other authorities than the one that issued the certificate in use. What is served works, the next renewal at the same authority will be refused."
        "dig ZONE CAA; openssl s_client -connect HOST:443 -servername HOST | openssl x509 -noout -issuer";
    DNS_PRIVATE_ADDRESS = "LF-DNS-010" High
        "The production name leads to an address that is not public"
        "A private, loopback, link-local or documentation address (RFC 6890) in public DNS works, if at all, only inside one network."
        "dig HOST A; dig HOST AAAA";
    DNS_LONG_TTL = "LF-DNS-011" Low
        "The address records are remembered for more than a day"
        "After a change of the record, resolvers hand out the old address for up to its TTL. Lower it before a move, and wait for the old TTL."
        "dig HOST A (second column)";
    DNS_SIGNATURES_BROKEN = "LF-DNS-012" Critical
        "Validating resolvers refuse the zone's DNSSEC"
        "The resolver says by an extended error (RFC 8914, codes 6 to 12) that the chain of signatures does not hold, or hands out without validation (CD) what it refuses with it. Users of validating resolvers cannot resolve the name at all, and since March 2026 public authorities do not issue certificates over such an answer."
        "dig HOST A; dig +cd HOST A; delv HOST A";
    DNS_DANGLING_CNAME = "LF-DNS-013" Critical
        "The production name is an alias of a name that does not exist"
        "The CNAME's target is gone (NXDOMAIN after a CNAME, RFC 2308 section 2.1). At some providers a stranger can claim the target."
        "dig HOST CNAME; dig TARGET A";

    DNS_NO_DELEGATION = "LF-DNS-014" Critical
        "The zone above does not delegate the zone"
        "Servers of the zone above answer with authority and name no server of the zone: the registration lapsed, is on hold, or was never finished."
        "dig @PARENT-SERVER +norec ZONE NS";
    DNS_DELEGATION_DIFFERS = "LF-DNS-015" High
        "The delegation and the zone name different servers"
        "The NS set at the zone above (RFC 1034 section 4.2.2 wants the two alike) is not the one that the zone itself gives. High where the delegation names servers that the zone does not: after a move the old provider stays in use. Low where the zone names more. Zonemaster DELEGATION: EXTRA_NAME_PARENT, TOTAL_NAME_MISMATCH, EXTRA_NAME_CHILD."
        "dig @PARENT-SERVER +norec ZONE NS; dig @NAMESERVER +norec ZONE NS";
    DNS_NS_NO_ADDRESS = "LF-DNS-016" High
        "A name server has no address"
        "The NS set names a host that has neither an A nor an AAAA record, and the delegation carries no glue for it. Critical when that is so for all of them."
        "dig NAMESERVER A; dig NAMESERVER AAAA";
    DNS_GLUE_DIFFERS = "LF-DNS-017" High
        "The glue at the zone above is out of date"
        "The zone above hands out addresses of name servers that lie inside the zone (RFC 1034 section 4.2.1, RFC 9471). They are not those that the zone gives."
        "dig @PARENT-SERVER +norec +additional ZONE NS; dig NAMESERVER A";
    DNS_NS_PRIVATE = "LF-DNS-018" High
        "A name server is at an address that is not public"
        "A private, loopback, link-local or documentation address (RFC 6890) can be asked from inside one network only."
        "dig NAMESERVER A; dig NAMESERVER AAAA";
    DNS_FEW_SERVERS = "LF-DNS-019" High
        "The zone has too few name servers"
        "RFC 1034 section 4.1 wants a zone to be served by at least two servers, and RFC 2182 on different networks. One name, or several names with one address, are one machine."
        "dig ZONE NS; dig NAMESERVER A";
    DNS_NS_ALIAS = "LF-DNS-020" High
        "A name server is named by an alias"
        "RFC 2181 section 10.3: the target of an NS record must not be a CNAME."
        "dig NAMESERVER CNAME";
    DNS_SERIALS_DIFFER = "LF-DNS-021" Medium
        "The zone's servers hold different versions of the zone"
        "The serial numbers in the SOA records differ. Medium when records differ too, low when those asked for are alike. Some providers never move the serial, so equal serials prove nothing."
        "for each name server: dig @NAMESERVER +norec ZONE SOA";
    DNS_RECORDS_DIFFER = "LF-DNS-022" Medium
        "The zone's own servers hold different records"
        "CNAME, HTTPS, MX, TXT, CAA or NS records of host and zone differ from server to server."
        "for each name server: dig @NAMESERVER +norec HOST TYPE";
    DNS_SOA_TIMERS = "LF-DNS-023" Info
        "Timers in the SOA record are unusual"
        "Below or above the values of RIPE-203 that Zonemaster's ZONE02 to ZONE06 check. Many large zones differ from them on purpose."
        "dig ZONE SOA";
    DNS_NEGATIVE_TTL = "LF-DNS-024" Low
        "Names that do not exist are remembered for long"
        "A resolver that asked too early keeps NXDOMAIN for the smaller of the SOA record's TTL and its last field (RFC 2308 section 5)."
        "dig ZONE SOA (second column and last field)";
    DNS_SHORT_TTL = "LF-DNS-025" Low
        "The address records are hardly remembered"
        "A TTL of some seconds makes every caller wait for a lookup and the zone's servers answer many times as often."
        "dig @NAMESERVER +norec HOST A (second column)";
    DNS_SPREADING = "LF-DNS-026" Low
        "Resolvers still remember an older answer"
        "A resolver gives what the zone's servers no longer say. The time is the end of the longest TTL that a resolver reported; a resolver that was not asked may remember for as long as the old TTL."
        "dig @RESOLVER HOST A (second column counts down); landfall dns --watch HOST";
    DNS_DS_WITHOUT_KEY = "LF-DNS-027" Critical
        "No DS record fits a key of the zone"
        "The digest of every key was computed (RFC 4034 section 5.1.4), and none is that of a DS record at the zone above. Usual after a move to a provider with keys of its own."
        "dig @PARENT-SERVER +norec ZONE DS; dig @NAMESERVER +norec ZONE DNSKEY | dnssec-dsfromkey -f - ZONE";
    DNS_SIGNATURE_TIME = "LF-DNS-028" Critical
        "Signatures are out of their dates"
        "All signatures of a record set have expired or have not begun (RFC 4034 section 3.1.5). The signer stopped, or a clock is wrong. Medium while the zone above has no DS record."
        "dig @NAMESERVER +norec +dnssec HOST A (fields 5 and 6 of RRSIG); date -u";
    DNS_SIGNATURE_WINDOW = "LF-DNS-029" Medium
        "Signatures end soon, or last for very long"
        "Less than 12 hours are left, or more than 180 days (Zonemaster DNSSEC04)."
        "dig @NAMESERVER +norec +dnssec HOST A (field 5 of RRSIG)";
    DNS_SIGNATURE_INVALID = "LF-DNS-030" Critical
        "Signatures are missing or do not hold"
        "The signature was computed over the records with the zone's key (RFC 4034 section 3.1.8.1) and does not fit, or there is none in a signed zone, or the key to which the DS record leads did not sign the keys."
        "delv @NAMESERVER HOST A +vtrace; dig @NAMESERVER +norec +dnssec HOST A";
    DNS_NO_DS = "LF-DNS-031" Medium
        "The zone is signed and the zone above does not say so"
        "Without a DS record validating resolvers take the zone for unsigned (RFC 4035 section 5.2)."
        "dig @PARENT-SERVER +norec ZONE DS; dig @NAMESERVER +norec ZONE DNSKEY";
    DNS_UNSIGNED = "LF-DNS-032" Critical
        "The zone above says that the zone is signed, and it is not"
        "A DS record without any key in the zone (RFC 4035 section 5) makes every answer bogus."
        "dig @PARENT-SERVER +norec ZONE DS; dig @NAMESERVER +norec ZONE DNSKEY";
    DNS_OLD_ALGORITHM = "LF-DNS-033" High
        "DNSSEC uses what is no longer recommended"
        "Algorithms 1, 3, 5, 6, 7 and 12 must not or should not sign (RFC 8624 section 3.1; IANA's registry since RFC 9904). Medium for a DS record with a SHA-1 digest alone, low for RSA keys under 2048 bits."
        "dig ZONE DNSKEY (third number); dig ZONE DS (third number)";
    DNS_NSEC3_ITERATIONS = "LF-DNS-034" Medium
        "NSEC3 hashes names more than once"
        "RFC 9276 section 3.1: the iteration count must be 0; resolvers may treat more as unsigned, and many more as a failure."
        "dig @NAMESERVER +norec ZONE NSEC3PARAM (third number)";
    DNS_WILDCARD = "LF-DNS-035" Info
        "A wildcard answers for every name"
        "A random name beside the host resolves (RFC 4592). A misspelt host then reaches whatever the wildcard leads to."
        "dig RANDOM-WORD.ZONE A";
    DNS_CNAME_LOOP = "LF-DNS-036" Critical
        "The production name is an alias in a circle"
        "Its CNAME leads back to itself (RFC 1034 section 3.6.2); resolvers answer SERVFAIL."
        "dig HOST CNAME; dig TARGET CNAME";
    DNS_CNAME_LONG = "LF-DNS-037" Medium
        "The chain of aliases is long"
        "More aliases than resolvers are sure to follow (Zonemaster: 10 in a chain, 9 in one answer)."
        "dig HOST A";
    DNS_CNAME_BESIDE = "LF-DNS-038" High
        "An alias stands beside other records of its name"
        "RFC 1034 section 3.6.2 and RFC 2181 section 10.1: a name with a CNAME has no other data. At the top of a zone there always are: SOA and NS."
        "dig @NAMESERVER +norec HOST CNAME; dig @NAMESERVER +norec HOST MX; dig @NAMESERVER +norec ZONE CNAME";
    DNS_NO_TCP = "LF-DNS-039" High
        "A name server does not answer over TCP"
        "RFC 7766 section 5 requires it; what does not fit a datagram comes over TCP."
        "dig @NAMESERVER +norec +tcp ZONE SOA";
    DNS_EDNS = "LF-DNS-040" Medium
        "A name server or a box in front of it misunderstands EDNS"
        "RFC 6891 section 6.1.3 (an unknown version is answered with BADVERS) and section 7. High when questions with EDNS are not answered at all."
        "dig @NAMESERVER +norec +noedns ZONE SOA; dig @NAMESERVER +norec +edns=1 +noednsnegotiation ZONE SOA";
    DNS_LETTER_CASE = "LF-DNS-041" Medium
        "A name server changes the letters of the question"
        "The question in an answer has to be that of the query, letter by letter (RFC 4343 section 4.1); resolvers mix the case to make forged answers harder."
        "dig @NAMESERVER +norec eXaMpLe.CoM SOA (look at the question section)";
    DNS_TRANSFER = "LF-DNS-042" Low
        "The whole zone is handed out to everybody"
        "A zone transfer (RFC 5936 section 5 leaves it to the operator) was begun for a stranger. Only its first message was read, and nothing of it is kept but the SOA record."
        "dig @NAMESERVER ZONE AXFR";
    DNS_OPEN_RESOLVER = "LF-DNS-043" High
        "A server of the zone resolves names for everybody"
        "It answered a question about another zone, with recursion (RFC 5358). The root's NS records were asked for, so that nobody else's name was involved."
        "dig @NAMESERVER +recurse . NS";
    DNS_MX_ALIAS = "LF-DNS-044" Medium
        "The mail server is named by an alias"
        "RFC 2181 section 10.3: the target of an MX record must not be a CNAME."
        "dig HOST MX; dig MAILSERVER CNAME";
    DNS_HTTPS_HINTS = "LF-DNS-045" Medium
        "The HTTPS record hints at other addresses"
        "RFC 9460 section 7.3: hints save a lookup and should be the address records. Browsers may use them, curl and libraries do not."
        "dig HOST HTTPS; dig HOST A; dig HOST AAAA";
    DNS_OTHER_VIEW = "LF-DNS-046" Medium
        "This machine sees another address than DNS gives"
        "A hosts file entry or a split view leads this machine elsewhere."
        "getent ahosts HOST; grep HOST /etc/hosts; dig HOST A";
    DNS_PROXIED = "LF-DNS-047" Info
        "DNS does not show the origin"
        "The addresses belong to an edge network. Where it sends requests cannot be seen in DNS; headers and error pages can tell."
        "dig HOST A; curl -sSI URL";
    DNS_DANGLING_NS = "LF-DNS-048" Critical
        "The delegation leads to a provider that does not have the zone"
        "The server refuses or fails for the zone, and at that provider whoever adds a zone first owns it (project can-i-take-over-dns)."
        "dig @NAMESERVER +norec ZONE SOA";
    DNS_FILTERED = "LF-DNS-049" Medium
        "A resolver answers by a policy of its own"
        "Extended errors 15 to 18 (RFC 8914: blocked, censored, filtered, prohibited) or the address 0.0.0.0: a list of the resolver's operator, and not the zone."
        "dig @RESOLVER HOST A";
    DNS_DENIAL = "LF-DNS-050" High
        "The proof that something does not exist does not cover it"
        "A signed zone proves with NSEC or NSEC3 records that a name or a type does not exist (RFC 4035 section 5.4, RFC 5155 section 8). Where they leave the question open, a validating resolver takes the answer for forged and answers SERVFAIL, for the AAAA question of a host without IPv6 too, on which some clients give up altogether."
        "dig @SERVER NAME TYPE +dnssec +norec; delv NAME TYPE";

    TLS_EXPIRED = "LF-TLS-001" Critical
        "The certificate has expired"
        "Its notAfter lies before the time of the audit. Every client that checks certificates refuses the connection."
        "openssl s_client -connect HOST:443 -servername HOST </dev/null | openssl x509 -noout -dates";
    TLS_NOT_YET_VALID = "LF-TLS-002" Critical
        "The certificate is not valid yet"
        "Its notBefore lies after the time of the audit. Either it was made ahead of time, or a clock is wrong: this machine's included."
        "date -u; openssl s_client -connect HOST:443 -servername HOST </dev/null | openssl x509 -noout -dates";
    TLS_NAME_MISMATCH = "LF-TLS-003" Critical
        "The certificate is not for this name"
        "None of its subject alternative names covers the host (RFC 9525; a wildcard covers exactly one label). A certificate of the platform's own domain means that the custom domain is not bound to the service."
        "openssl s_client -connect HOST:443 -servername HOST </dev/null | openssl x509 -noout -ext subjectAltName";
    TLS_UNTRUSTED = "LF-TLS-004" Critical
        "No root store trusts the certificate"
        "Path building (RFC 5280 section 6) ends at no root of any store: a private authority, a self-signed certificate, or a device that intercepts TLS on the way."
        "openssl s_client -connect HOST:443 -servername HOST -showcerts </dev/null";
    TLS_INCOMPLETE = "LF-TLS-005" High
        "An intermediate certificate is missing from the chain"
        "The server sends a leaf without the certificate of its issuer (RFC 8446 section 4.4.2 wants the chain sent). Browsers fetch or remember it; curl, Go, Java, Python and most API clients fail."
        "openssl s_client -connect HOST:443 -servername HOST -showcerts </dev/null (look for verify error 20 or 21)";
    TLS_SOME_STORES = "LF-TLS-006" Medium
        "Only some root stores trust the certificate"
        "The root is in one store and not in another, so it works on some machines only."
        "openssl s_client -connect HOST:443 -servername HOST -CAfile STORE.pem </dev/null";
    TLS_RENEWAL = "LF-TLS-007" Low
        "The certificate's renewal is due"
        "Judged by its lifetime L and not by a fixed number of days: noticed at the smaller of L/3 and 45 days (L/2 when L is under 10 days), overdue at L/4 or 30 days, high at 0.15 L or 14 days (never under the smaller of 24 hours and L/4), critical at L/20 or 24 hours. Automation renews at about a third, so less than a quarter means that it is broken."
        "openssl s_client -connect HOST:443 -servername HOST </dev/null | openssl x509 -noout -dates";
    TLS_ORDER = "LF-TLS-008" Low
        "The certificates are sent out of order"
        "Each certificate should certify the one before it (RFC 5246 section 7.4.2; RFC 8446 section 4.4.2 tolerates disorder). Strict or old clients fail."
        "openssl s_client -connect HOST:443 -servername HOST -showcerts </dev/null";
    TLS_ROOT_SENT = "LF-TLS-009" Info
        "The chain carries a root certificate that no client needs"
        "A client trusts a root because it has it, not because it was sent. The bytes are spent in every handshake."
        "openssl s_client -connect HOST:443 -servername HOST -showcerts </dev/null";
    TLS_WEAK_KEY = "LF-TLS-010" High
        "The certificate's key is too short"
        "RSA below 2048 bits or an elliptic curve below 224 bits is refused by public authorities and by many clients."
        "openssl s_client -connect HOST:443 -servername HOST </dev/null | openssl x509 -noout -text";
    TLS_WEAK_SIGNATURE = "LF-TLS-011" High
        "A certificate is signed with a broken hash"
        "SHA-1 or MD5 in a leaf or an intermediate is refused by current clients. The root's own signature is not looked at by anybody and does not count."
        "openssl s_client -connect HOST:443 -servername HOST -showcerts </dev/null";
    TLS_LIFETIME = "LF-TLS-012" Medium
        "The certificate lives longer than public certificates may"
        "Ballot SC-081v3 of the CA/Browser Forum: 398 days when issued before 15 March 2026, then 200, from 15 March 2027 100, from 15 March 2029 47. Clients may refuse a public certificate above the limit; a private authority is exempt."
        "openssl s_client -connect HOST:443 -servername HOST </dev/null | openssl x509 -noout -dates";
    TLS_OLD_VERSION = "LF-TLS-013" Info
        "TLS 1.3 was not negotiated"
        "The server chose an older version although TLS 1.3 was offered: one more round trip in each handshake, and no encrypted certificate."
        "openssl s_client -connect HOST:443 -servername HOST -tls1_3 </dev/null";
    TLS_ADDRESSES_DIFFER = "LF-TLS-014" Low
        "The name's addresses present different certificates"
        "One address serves another leaf than the others. During a renewal that is normal; when it stays, one machine was forgotten, and its certificate will be the one to expire."
        "for each address: openssl s_client -connect ADDRESS:443 -servername HOST </dev/null | openssl x509 -noout -serial -dates";
    TLS_HANDSHAKE = "LF-TLS-015" Critical
        "No TLS handshake comes about"
        "The peer refused the connection, ended the handshake with an alert (RFC 8446 section 6.2), spoke something else than TLS, or fell silent. Alert 112 (unrecognized_name) means that it has no certificate for this name."
        "openssl s_client -connect HOST:443 -servername HOST";
    TLS_EXTRA_EXPIRED = "LF-TLS-016" Info
        "A certificate that is not needed has expired"
        "The chain carries an expired certificate that is on no trusted path. Clients that build their own path ignore it; a few old ones do not."
        "openssl s_client -connect HOST:443 -servername HOST -showcerts </dev/null";
    TLS_PLAIN_HTTP = "LF-TLS-017" Medium
        "Production is reached over plain HTTP"
        "The production URL begins with http://. Everything, credentials included, can be read and changed on the way."
        "curl -sS -o /dev/null -w '%{http_code}\n' https://HOST/";
    TLS_OLD_VERSIONS_OFFERED = "LF-TLS-018" Low
        "TLS 1.0 or 1.1 is still offered"
        "Both were deprecated in 2021 (RFC 8996). SSL Labs caps the grade at B for them; no client of the last ten years needs them. Asked by hand-written hellos; offered means that the server chose the version."
        "openssl s_client -connect HOST:443 -servername HOST -tls1_1 -cipher ALL:@SECLEVEL=0 </dev/null; sslscan HOST";
    TLS_SSL3 = "LF-TLS-019" High
        "SSLv3 is offered"
        "Prohibited since 2015 (RFC 7568). An attacker on the way can bring a client down to it and then read what it encrypts (POODLE)."
        "sslscan HOST (openssl of today cannot speak it)";
    TLS_NO_MODERN_VERSION = "LF-TLS-020" High
        "Neither TLS 1.2 nor TLS 1.3 is offered"
        "Clients of today begin at TLS 1.2 (RFC 9325 section 3.1.1) and do not connect. Two answers on connections of their own declined each version."
        "openssl s_client -connect HOST:443 -servername HOST -tls1_2 </dev/null; openssl s_client -connect HOST:443 -servername HOST -tls1_3 </dev/null";
    TLS_BROKEN_SUITES = "LF-TLS-021" High
        "Cipher suites without authentication, without encryption or with export keys are offered"
        "Anonymous suites authenticate nobody, NULL suites encrypt nothing, EXPORT and DES have keys of 40 to 56 bits. RFC 9325 section 4.1 forbids all of them; SSL Labs grades F."
        "openssl s_client -connect HOST:443 -servername HOST -no_tls1_3 -cipher 'aNULL:eNULL:@SECLEVEL=0' </dev/null; sslscan HOST";
    TLS_WEAK_SUITES = "LF-TLS-022" Medium
        "RC4 or 3DES is offered"
        "RC4's key stream is biased (prohibited by RFC 7465); blocks of 64 bits, as 3DES has them, repeat within one long connection (Sweet32, CVE-2016-2183)."
        "sslscan HOST";
    TLS_SHORT_DH = "LF-TLS-023" Medium
        "The finite-field key exchange uses a short prime"
        "The prime that the server showed for a DHE suite is below the threshold. Primes of 1,024 bits are few, shared, and within reach of precomputation (Logjam, CVE-2015-4000). Threshold: tls_dh_bits_min."
        "openssl s_client -connect HOST:443 -servername HOST -no_tls1_3 -cipher kDHE </dev/null | grep 'Temp Key'";
    TLS_DATED_SUITES = "LF-TLS-024" Info
        "Cipher suites of yesterday are offered"
        "Static RSA gives no forward secrecy, CBC with MAC-then-encrypt has a record of padding attacks, DHE is slow and its parameters are often short (RFC 9325 section 4.1). Some old clients know nothing better, so this is a choice; low where static RSA is among them, since SSL Labs caps the grade at B for it."
        "openssl s_client -connect HOST:443 -servername HOST -no_tls1_3 -cipher kRSA </dev/null; sslscan HOST";
    TLS_WEAK_GROUP = "LF-TLS-025" High
        "An elliptic curve below 224 bits is offered"
        "The server took a curve whose strength is below 112 bits; RFC 8422 section 5.1.1 keeps none of them."
        "openssl s_client -connect HOST:443 -servername HOST -no_tls1_3 -curves secp192r1 -cipher ALL:@SECLEVEL=0 </dev/null";
    TLS_NO_HYBRID = "LF-TLS-026" Info
        "The post-quantum key exchange is not used"
        "X25519MLKEM768 (number 0x11EC) joins X25519 with ML-KEM-768, so that what is recorded today stays closed. It needs TLS 1.3. Nothing fails without it."
        "openssl s_client -connect HOST:443 -servername HOST -groups X25519MLKEM768 </dev/null (OpenSSL 3.5 or later)";
    TLS_LARGE_HELLO = "LF-TLS-027" High
        "A large ClientHello is not answered, a small one is"
        "A hello with a post-quantum key share is about 1.7 kB and comes in two segments. Something on the way reads the first one only and resets or waits (see tldr.fail), which looks like \"new clients cannot connect\"."
        "openssl s_client -connect HOST:443 -servername HOST -groups X25519MLKEM768:X25519 </dev/null; the same with -groups X25519 (OpenSSL 3.5 or later)";
    TLS_NO_HTTP1 = "LF-TLS-028" Low
        "Clients that speak HTTP/1.1 alone are refused"
        "A hello that offers http/1.1 alone by ALPN was answered with no_application_protocol (alert 120, RFC 7301 section 3.2)."
        "openssl s_client -connect HOST:443 -servername HOST -alpn http/1.1 </dev/null";
    TLS_DEFAULT_CERTIFICATE = "LF-TLS-029" Info
        "What clients without a server name are shown"
        "A handshake without SNI (RFC 6066 section 3) got another certificate, or none. That is usual on shared platforms. Where the host itself gets the same wrong certificate as nobody in particular, the host is not set up there."
        "openssl s_client -connect HOST:443 -noservername </dev/null | openssl x509 -noout -subject";
    TLS_SCT = "LF-TLS-030" High
        "A public certificate carries too few Certificate Transparency timestamps"
        "Chrome, Safari and Firefox refuse a publicly trusted certificate without signed timestamps (RFC 6962): two from different logs up to 180 days of lifetime, three above (thresholds tls_sct_min, tls_sct_min_long). curl, Go and Python do not look: it works there, and not in browsers."
        "openssl s_client -connect HOST:443 -servername HOST </dev/null | openssl x509 -noout -ext ct_precert_scts";
    TLS_MUST_STAPLE = "LF-TLS-031" High
        "The certificate demands a stapled status that is not sent"
        "With the TLS feature extension (RFC 7633, Must-Staple) clients such as Firefox refuse a handshake without an OCSP response. Public authorities have switched OCSP off or are about to."
        "openssl s_client -connect HOST:443 -servername HOST -status </dev/null | grep -i 'OCSP response'; openssl s_client -connect HOST:443 -servername HOST </dev/null | openssl x509 -noout -ext tlsfeature";
    TLS_REVOKED = "LF-TLS-032" Critical
        "The certificate was revoked"
        "Its serial number is on the list of its authority (RFC 5280 section 5). Browsers get such lists in digest and refuse."
        "openssl s_client -connect HOST:443 -servername HOST </dev/null | openssl x509 -noout -serial -ext crlDistributionPoints; curl -sS LIST-URL | openssl crl -inform der -noout -text | grep -A1 SERIAL";
    TLS_LIST_UNREACHABLE = "LF-TLS-033" Low
        "The list of revoked certificates cannot be had"
        "The certificate names a list (RFC 5280 section 4.2.1.13) that could not be fetched, read, or held against its issuer. That says nothing of the certificate. A certificate that names neither a list nor an OCSP responder raises nothing."
        "curl -sS LIST-URL | openssl crl -inform der -noout -text";
    TLS_NO_RESUMPTION = "LF-TLS-034" Info
        "Sessions are not resumed"
        "A second handshake that offered the first one's session was a whole one again, or there was no session to offer within half a second."
        "openssl s_client -connect HOST:443 -servername HOST -reconnect -no_tls1_3 </dev/null | grep -c Reused";
    TLS_LONG_TICKET = "LF-TLS-035" Low
        "Session tickets live long"
        "The lifetime that the server puts into its tickets (RFC 8446 section 4.6.1, RFC 5077 section 3.3) is above the threshold tls_ticket_max_s. Whoever gets the ticket key reads the traffic of that time."
        "openssl s_client -connect HOST:443 -servername HOST </dev/null | grep 'lifetime hint'";
    TLS_EARLY_DATA = "LF-TLS-036" Medium
        "Early data (0-RTT) is accepted"
        "Tickets allow data with the first packet (RFC 8446 section 2.3), which an attacker can send again. For requests that change something the application must refuse it with 425 (RFC 8470), and most do not know it."
        "openssl s_client -connect HOST:443 -servername HOST </dev/null | grep 'Max Early Data'";
    TLS_RENEGOTIATION = "LF-TLS-037" High
        "Secure renegotiation is not supported"
        "The answer to a hello of TLS 1.2 with renegotiation_info did not carry it (RFC 5746 section 3.6). If such a server renegotiates, somebody on the way can put data before the client's."
        "openssl s_client -connect HOST:443 -servername HOST -no_tls1_3 </dev/null | grep -i renegotiation";
    TLS_NO_EMS = "LF-TLS-038" Low
        "The extended master secret is not supported"
        "The answer to a hello of TLS 1.2 with extended_master_secret did not carry it (RFC 7627). internet.nl fails a server for that, and clients in FIPS mode refuse it."
        "openssl s_client -connect HOST:443 -servername HOST -no_tls1_3 </dev/null | grep -i 'extended master'";
    TLS_COMPRESSION = "LF-TLS-039" High
        "TLS compression is on"
        "The server chose DEFLATE. The size of what is sent then tells its contents (CRIME, CVE-2012-4929); RFC 9325 section 3.3 forbids it."
        "openssl s_client -connect HOST:443 -servername HOST -comp -no_tls1_3 </dev/null | grep -i compression";
    TLS_SURPLUS = "LF-TLS-040" Info
        "More certificates are sent than are needed"
        "The chain is long, large, or holds a certificate twice (thresholds tls_chain_max, tls_chain_max_byte). Each handshake carries it; a flight beyond the first window costs a round trip more."
        "openssl s_client -connect HOST:443 -servername HOST -showcerts </dev/null | grep -c BEGIN";
    TLS_ODD_KEY = "LF-TLS-041" Info
        "The certificate's RSA key is very long"
        "Above the threshold tls_rsa_bits_max a key makes each handshake slow and adds nothing that counts."
        "openssl s_client -connect HOST:443 -servername HOST </dev/null | openssl x509 -noout -text | grep Public-Key";
    TLS_SURVEY_OPEN = "LF-TLS-042" Info
        "Questions of the TLS survey stayed open"
        "A reset, a close, a silence, alert 80 or alert 112 is no refusal, and one refusal alone is none either: two answers have to agree before something counts as not offered. What is listed is neither a pass nor a fault."
        "sslscan HOST";
    TLS_AGING_SIGNATURE = "LF-TLS-043" Info
        "A certificate is signed with SHA-224"
        "Nothing refuses it yet; internet.nl counts it among what is to be phased out."
        "openssl s_client -connect HOST:443 -servername HOST -showcerts </dev/null";
    TLS_RARE_GROUP = "LF-TLS-044" Medium
        "Only rare key exchange groups are offered"
        "The server takes none of X25519, P-256 and P-384, which clients have, and another curve instead. Browsers and many libraries cannot connect."
        "openssl s_client -connect HOST:443 -servername HOST -groups X25519:P-256:P-384 </dev/null; the same with -groups P-521";
    TLS_NEXT_RENEWAL = "LF-TLS-045" Medium
        "The next renewal of the certificate will fail"
        "What an authority looks at before it issues is not in order, so that the certificate in use will end without a successor: CAA (RFC 8659), DNSSEC of the zone, or the path of the HTTP challenge (RFC 8555 section 8.3), which an authority asks over port 80, over IPv6 where there is such an address (Let's Encrypt goes over to IPv4 only when the connection times out), and through redirects to the ports 80 and 443. What concerns the HTTP challenge matters only where the certificate is renewed by it; it is judged for certificates of up to 100 days, which programs renew. High or medium once renewal is due, a step lower before."
        "dig HOST CAA; delv HOST; curl -si -6 http://HOST/.well-known/acme-challenge/test; the same with -4 (404 is the right answer)";

    HTTP_NOT_SERVED = "LF-HTTP-001" Critical
        "Production does not answer its endpoints as it should"
        "Endpoints that the target names or the project defines answered with another status, another media type, or not at all, under the public name. Critical when none is good; high when the main function, a declared endpoint or most of them are hit; medium otherwise."
        "curl -sS -i URL";
    HTTP_ORIGIN_NOT_SERVED = "LF-HTTP-002" Low
        "The platform's own name does not answer the endpoints as it should"
        "The same endpoints asked under the name that needs neither the custom domain nor the edge. Bad there too: the fault lies in the deployment. Good there and bad in public: it lies on the way."
        "curl -sS -i https://PLATFORM-NAME/PATH";
    HTTP_HTML_FOR_JSON = "LF-HTTP-003" Critical
        "HTML comes back where JSON is due"
        "The answer has a success status and is a web page: the name leads to another application, or a catch-all page swallows the API's paths. A monitor that looks at the status alone stays green."
        "curl -sS -i URL (look at content-type)";
    HTTP_CONTROL_ALIKE = "LF-HTTP-004" Low
        "A path that nobody defined is answered exactly like the endpoints"
        "The hop that answers does not look at the path, so its answers say nothing of the endpoints: it is not the application, or the application defines none of them."
        "curl -sS -i https://HOST/RANDOM-WORD; compare with curl -sS -i URL";
    HTTP_SHAPE = "LF-HTTP-005" Medium
        "Production's JSON lacks members that the local backend sends"
        "The same endpoint answers with fewer top-level members in production. Usually an older build is live."
        "curl -sS URL | jq keys; curl -sS LOCAL-URL | jq keys";
    HTTP_SAYS_FAILING = "LF-HTTP-006" High
        "An endpoint reports a failure under a success status"
        "The body says that something is wrong while the status is 2xx. Balancers and monitors that read the status alone take it for healthy."
        "curl -sS -i URL";
    HTTP_NO_H2 = "LF-HTTP-007" Info
        "HTTP/2 is not offered"
        "Clients open several connections where one would do."
        "curl -sS -o /dev/null -w '%{http_version}\n' --http2 URL";
    HTTP_NO_H3 = "LF-HTTP-008" Info
        "HTTP/3 is not offered"
        "Connections cost one more round trip, and clients that change networks start anew."
        "curl -sSI URL | grep -i alt-svc";
    HTTP_H3_DEAD = "LF-HTTP-009" Low
        "HTTP/3 is announced and does not answer"
        "The alt-svc header (RFC 7838) invites clients to UDP, where nothing answers. Browsers fall back after a delay that users feel."
        "curl -sS --http3-only -i URL";
    HTTP_ADDRESSES_DIFFER = "LF-HTTP-010" Medium
        "The name's addresses answer differently"
        "One address of the name gives another status than the others, so the outcome depends on the address that a client picks: an old machine in the record set, or a deployment that reached only some."
        "for each address: curl -sS -i --resolve HOST:443:ADDRESS URL";
    HTTP_NO_REDIRECT = "LF-HTTP-011" Low
        "Port 80 serves content in place of a redirect to HTTPS"
        "A client that is sent to http:// speaks in the clear and never learns of HTTPS."
        "curl -sS -i http://HOST/";
    HTTP_NO_HSTS = "LF-HTTP-012" Info
        "No Strict-Transport-Security header"
        "Browsers (RFC 6797) are not told to use HTTPS alone. For an API that only programs call, it matters little."
        "curl -sSI URL | grep -i strict-transport-security";
    HTTP_CORS_CREDENTIALS = "LF-HTTP-013" Low
        "CORS allows every origin together with credentials"
        "Access-Control-Allow-Origin: * beside Access-Control-Allow-Credentials: true is refused by browsers (Fetch standard), so the calls that it was meant for fail."
        "curl -sS -D - -o /dev/null -H 'Origin: https://example.com' URL | grep -i access-control";
    HTTP_COOKIE = "LF-HTTP-014" Low
        "A cookie is set without Secure or HttpOnly"
        "Without Secure it travels over plain HTTP too; without HttpOnly scripts of the page can read it (RFC 6265 section 4.1.2)."
        "curl -sSI URL | grep -i set-cookie";
    HTTP_CACHED = "LF-HTTP-015" Medium
        "A health answer comes from a cache"
        "An Age above zero or a cache hit on a health path: the edge tells what was true some time ago, and stays green over a dead origin."
        "curl -sSI URL | grep -iE '^(age|cf-cache-status|x-cache|cache-status)'";
    HTTP_SOFT_404 = "LF-HTTP-016" Low
        "A path that nobody defined is answered with success"
        "A catch-all answers 2xx on every path, so a success status on an endpoint proves nothing by itself."
        "curl -sS -i https://HOST/RANDOM-WORD";
    HTTP_MASKED_404 = "LF-HTTP-017" Low
        "A path that nobody defined is answered with a server error"
        "A handler for all exceptions turns 404 and 405 into 5xx, so a missing route looks like a broken one, and error rates count strangers' typing mistakes."
        "curl -sS -i https://HOST/RANDOM-WORD";
    HTTP_CHALLENGED = "LF-HTTP-018" Medium
        "A security rule of the edge answered in place of the application"
        "A challenge or block page says nothing of the application. Programs cannot pass a challenge, so if the rule is not meant for this audit alone, API clients are shut out too."
        "curl -sS -i URL (look for cf-mitigated, x-vercel-mitigated or a block page)";
    HTTP_DEBUG = "LF-HTTP-019" High
        "A development error page is exposed"
        "A debugger or stack trace shows source code and settings to everybody."
        "curl -sS URL";
    HTTP_FEATURE_OFF = "LF-HTTP-020" Info
        "An endpoint reports a feature that is not configured"
        "The backend says by a member such as \"x_configured\": false that an optional part has no settings."
        "curl -sS URL";
    HTTP_SLOW = "LF-HTTP-021" Low
        "The first byte takes long"
        "The wait from the request to the first byte, after the connection stood: above 5 seconds it is usually a sleeping instance that starts."
        "curl -sS -o /dev/null -w '%{time_pretransfer} %{time_starttransfer}\n' URL";
    HTTP_CLOCK = "LF-HTTP-022" Info
        "The Date header and this machine's clock differ"
        "More than a minute apart: signed tokens and certificates may be judged wrongly by one side. Which clock is wrong cannot be told from here."
        "date -u; curl -sSI URL | grep -i ^date";
    HTTP_VERSION_FAILS = "LF-HTTP-023" High
        "One version of HTTP fails where another answers"
        "The server negotiates this version and then breaks it off, or answers something that is not of it, while the same question in another version is answered. Clients take the highest version that is offered, so most of them get the broken one."
        "curl -sS -i --http1.1 URL; curl -sS -i --http2 URL; curl -sS -i --http3-only URL";
    HTTP_RECORD_H3_DEAD = "LF-HTTP-024" Low
        "The HTTPS record promises HTTP/3 and nothing answers"
        "The record's alpn parameter (RFC 9460 section 7.1) lets clients begin with HTTP/3 before they have asked over TCP; they wait for UDP 443 in vain and then fall back."
        "dig HOST HTTPS; curl -sS --http3-only -i URL";
    HTTP_CONTENTS_DIFFER = "LF-HTTP-025" Low
        "The name's addresses serve different contents"
        "The same question has the same status at every address, and another build, other JSON members or another text at one of them. Texts count as other when more than 10 of 64 bits of their similarity hash differ over the first 500 kB, the measure of internet.nl for a site's two address families. Usual reasons are a deployment that reached only some machines, or an old address in DNS."
        "for each address: curl -sS --resolve HOST:443:ADDRESS URL | sha256sum";
    HTTP_HEAD = "LF-HTTP-026" Low
        "HEAD is not answered as GET is"
        "HEAD must give the header of the GET without its content (RFC 9110 section 9.3.2). Uptime checks, link checkers and some caches ask with HEAD and report a failure that no user has, or miss one that users have."
        "curl -sS -I URL; curl -sS -i URL";
    HTTP_LONG_CHAIN = "LF-HTTP-027" Low
        "A chain of redirects is long"
        "More than three redirects before an answer: each costs a round trip, and some clients follow no more than five. One is usual; http to https on the same host first, then to the canonical host."
        "curl -sS -o /dev/null -L -w '%{num_redirects} %{url_effective}\n' URL";
    HTTP_METHOD_LOST = "LF-HTTP-028" Low
        "A redirect turns POST into GET"
        "After 301 and 302 clients go on with GET and drop the body (RFC 9110 sections 15.4.2 and 15.4.3 allow it, and all do); 307 and 308 keep both. A webhook that is configured with http:// then arrives empty, and nobody sees an error."
        "curl -sS -i http://HOST/PATH (look at the status: 301 and 302 lose the method, 307 and 308 keep it)";
    HTTP_OFF_HOST = "LF-HTTP-029" Info
        "Port 80 redirects to another host first"
        "Strict-Transport-Security counts for the host that sent it over TLS (RFC 6797 section 8.1). Where the first redirect leaves the host, its own policy is never seen, and the next visit begins in the clear again."
        "curl -sS -i http://HOST/ | grep -i location";
    HTTP_CODING_BROKEN = "LF-HTTP-030" High
        "A compressed answer cannot be read"
        "The answer names a content coding (RFC 9110 section 8.4) that its bytes are not of, breaks off inside it, or is shorter than its Content-Length. Clients that ask for it, which all browsers and most libraries do, get an error or an empty answer while a plain request works. Usually a proxy compresses twice, or passes on the header of a body that it has changed."
        "curl -sS --compressed -i URL; curl -sS -H 'accept-encoding: gzip' URL | gzip -t";
    HTTP_NOT_COMPRESSED = "LF-HTTP-031" Info
        "Text is sent without compression"
        "gzip, br and zstd were offered one by one for a text above 1 kB, and none was used. Text shrinks to a fifth or less."
        "curl -sS -o /dev/null -D - -H 'accept-encoding: gzip, br, zstd' URL | grep -i content-encoding";
    HTTP_STALE_CACHE = "LF-HTTP-032" Medium
        "The edge's cache serves another answer than the origin gives now"
        "The answer comes from a cache by the cache's own word, two requests for it are alike byte for byte, and the same path with a query that no cache can have seen gets other bytes. What users see is an old copy."
        "curl -sS URL | sha256sum; curl -sS 'URL?fresh=RANDOM-WORD' | sha256sum";
    HTTP_CACHED_COOKIE = "LF-HTTP-033" Medium
        "A cached answer sets a cookie"
        "A shared cache hands one person's Set-Cookie to everybody (RFC 9111 section 7.3): people get each other's sessions."
        "curl -sS -D - -o /dev/null URL | grep -iE '^(set-cookie|age|cf-cache-status|x-cache|cache-status)'";
    HTTP_CORS_REFUSED = "LF-HTTP-034" Medium
        "A declared page may not call production from a browser"
        "The answer to the page's origin does not satisfy the CORS protocol of the Fetch standard, so the browser keeps it from the page. Programs are not concerned."
        "curl -sS -i -X OPTIONS -H 'origin: PAGE-ORIGIN' -H 'access-control-request-method: POST' URL";
    HTTP_CORS_VARY = "LF-HTTP-035" Low
        "Access-Control-Allow-Origin depends on the caller, and Vary does not say so"
        "Without Vary: Origin a cache gives the answer for one page to another, whose browser then refuses it (Fetch standard, CORS protocol and HTTP caches)."
        "curl -sS -D - -o /dev/null -H 'origin: PAGE-ORIGIN' URL | grep -iE '^(vary|access-control-allow-origin)'";
    HTTP_CORS_MAX_AGE = "LF-HTTP-036" Info
        "The preflight is allowed to be remembered for longer than browsers do"
        "Chromium remembers a preflight for 7200 seconds at most and Firefox for 86400 (MDN, Access-Control-Max-Age), whatever the header says."
        "curl -sS -i -X OPTIONS -H 'origin: PAGE-ORIGIN' -H 'access-control-request-method: POST' URL | grep -i max-age";
    HTTP_CORS_ANYONE = "LF-HTTP-037" Medium
        "Any page may call with the user's credentials"
        "The answer names whatever origin asks, and allows credentials: every site that a user visits can read the answers that the user's cookies open. MDN's Observatory takes 50 points for it."
        "curl -sS -D - -o /dev/null -H 'origin: https://example.invalid' URL | grep -i access-control";
    HTTP_CORS_ON_ERRORS = "LF-HTTP-038" Low
        "Errors come without the CORS headers"
        "The browser hides such an answer from the page and reports CORS in place of the true error, so a 502 of the edge is taken for a mistake in the CORS settings."
        "curl -sS -i -H 'origin: PAGE-ORIGIN' URL";
    HTTP_HEADERS_OF_AN_API = "LF-HTTP-039" Info
        "Headers that matter to an API are missing"
        "Only what acts on an API is counted: Strict-Transport-Security, X-Content-Type-Options, CORS with credentials, cookies, and Cache-Control on JSON. The number of MDN's Observatory stands beside it as a second opinion; it is made for pages, and takes most of its points for headers on which no browser acts there."
        "curl -sSI URL";
    HTTP_ERROR_FORM = "LF-HTTP-040" Low
        "Errors are not in a form that programs can read"
        "An error of the application came as HTML although JSON was asked for, or as application/problem+json (RFC 9457) that is not of its form. Clients cannot tell one error from another."
        "curl -sS -i -H 'accept: application/problem+json, application/json' https://HOST/RANDOM-WORD";
    HTTP_EMPTY = "LF-HTTP-041" Low
        "A success answer is empty"
        "A 200 without a body: the handler returned nothing, or a hop dropped the content. 204 is the status for an answer that has none (RFC 9110 section 15.3.5)."
        "curl -sS -i URL";
    HTTP_LARGE_HEALTH = "LF-HTTP-042" Low
        "A health answer is large"
        "More than 1 MB for an answer that is asked every few seconds by every balancer and monitor."
        "curl -sS -o /dev/null -w '%{size_download}\n' URL";
    HTTP_NO_CHARSET = "LF-HTTP-043" Info
        "Text is sent without its character set"
        "Clients guess, and differ in what they guess. JSON needs none: it is UTF-8 (RFC 8259 section 8.1)."
        "curl -sSI URL | grep -i content-type";
    HTTP_WARM_SLOW = "LF-HTTP-044" Low
        "A warm request waits long for its first byte"
        "The wait over a connection that stood and had been used before: above 800 ms it is the application's own time, since neither lookup nor handshake nor a start is in it."
        "curl -sS -o /dev/null -o /dev/null -w '%{time_pretransfer} %{time_starttransfer}\n' URL URL (the second line)";
    HTTP_HSTS_FAULT = "LF-HTTP-045" Info
        "The Strict-Transport-Security policy is not what it seems"
        "A policy that is not of its form is ignored by clients (RFC 6797 section 8.1; low), one of 0 seconds takes the policy back, and over plain HTTP the field binds nobody. A policy that asks for preloading is held against the conditions of hstspreload.org as far as answers show them: the age, includeSubDomains, the registered domain itself as host, and port 80 leading to HTTPS on the same host. Whether every name below is on HTTPS, and whether the host is on the list of browsers already, is not looked at: the list changes with every browser and is not in this program."
        "curl -sSI URL | grep -i strict-transport-security; https://hstspreload.org/?domain=DOMAIN";

    PATH_NOT_THE_APP = "LF-PATH-001" Info
        "The application never saw the request"
        "The answer was written by a hop in front of the application. The application's own answer to an unknown path looks different, and none of its headers is there."
        "curl -sS -i https://HOST/RANDOM-WORD; curl -sS -i http://LOCAL/RANDOM-WORD";
    PATH_ORIGIN_DIFFERS = "LF-PATH-002" Low
        "The platform's own name serves the application, the public name does not"
        "The deployment is up. What is broken lies between the public name and the deployment: the domain's binding, the edge's origin setting, or DNS."
        "curl -sS -i https://PLATFORM-NAME/PATH; curl -sS -i URL";
    PATH_PROXY_STATUS = "LF-PATH-003" Info
        "A proxy on the way says why it failed"
        "The Proxy-Status field (RFC 9209) names the intermediary that could not get an answer and its reason, in a vocabulary of its own. It is the word of the hop that met the fault, and settles who made the error."
        "curl -sS -D - -o /dev/null URL | grep -i ^proxy-status";
    PATH_OTHER_BUILD = "LF-PATH-004" Low
        "What is served is proven to be another build than the project's"
        "A mark of the build that is served (a commit, a version, the name of a bundle, a strong ETag) is another than the project's own or the local backend's. Nothing is concluded where there is no mark on one of the two sides."
        "git rev-parse HEAD; curl -sS URL (compare the commit, the version, or the names of the scripts)";

    RATE_TOO_LOW = "LF-RATE-001" Medium
        "The rate limit refuses ordinary clients"
        "The limit was compared with three ordinary kinds of use: an uptime monitor that asks every 30 seconds from three places, a page that opens with twelve calls, and a phone that retries three times in two seconds. At least one would be refused."
        "for i in $(seq 1 12); do curl -s -o /dev/null -w '%{http_code}\n' URL; done";
    RATE_NO_RETRY_AFTER = "LF-RATE-002" Low
        "The refusal does not say when to come back"
        "A 429 without Retry-After (RFC 9110 section 10.2.3, RFC 6585 section 4) leaves clients to guess, and those that guess short stay locked out."
        "repeat curl -sS -D - -o /dev/null URL until 429, and look for retry-after";
    RATE_OTHER_STATUS = "LF-RATE-003" Low
        "The limiter refuses with another status than 429"
        "503 says that the server cannot handle the request at present (RFC 9110 section 15.6.4) and 403 that it will not (section 15.5.4): from a limiter they look like an outage or a ban, and clients and monitors react wrongly. RFC 6585 section 4 defines 429 for this."
        "repeat curl -sS -i URL until it is refused";
    RATE_HID_ANSWERS = "LF-RATE-004" Info
        "The rate limit hid answers from this audit"
        "Some questions got the limiter's refusal and no later repetition succeeded; what they would have shown is not known."
        "wait for the window to pass, then curl -sS -i URL";
    RATE_HEALTH = "LF-RATE-005" Low
        "Health paths count against the rate limit"
        "The path that monitors, load balancers and the platform's own check ask is refused like any other once the limit is used up. A monitor then reports an outage that is none, and a platform may restart a process that is well. Health paths cost little and are asked by machines at a steady pace, so they are left out of limiters."
        "repeat curl -sS -o /dev/null -w '%{http_code}\n' URL/HEALTH until it is refused";
    RATE_CONTRADICTS = "LF-RATE-006" Medium
        "The limiter's header fields contradict what it does"
        "Retry-After (RFC 9110 section 10.2.3) and the RateLimit fields (draft-ietf-httpapi-ratelimit-headers) are what well-behaved clients pace themselves by. A wait that is too short makes them come back into a refusal; a quota that is not the real one makes them run into it. Common reasons are two limits on one way, of which only one is told, and fields written by another hop than the one that refuses."
        "curl -sS -D - -o /dev/null URL until it is refused; wait as long as Retry-After says; ask once more";
    RATE_ONE_COUNTER = "LF-RATE-007" Medium
        "The limiter counts all clients as one"
        "The code's limiter counts by the address of the connection, and production stands behind a proxy: to the application every client has the proxy's address, so that all share one counter and a single busy client locks everybody out. Name exactly the proxies in front as trusted, by number or range and never all of them, and key the limiter on the address that this yields (Express: trust proxy; Werkzeug: ProxyFix)."
        "use the limit up from one network, then ask from another at once: it should be served";
    RATE_PER_PROCESS = "LF-RATE-008" Low
        "Each process or instance counts for itself"
        "A limiter that keeps its counters in the memory of its process gives each worker, and each instance behind a balancer, a limit of its own. A client gets up to as many times the limit, depending on which of them answers, and a restart forgets all. A store that all of them share (Redis, Memcached) makes one limit of it."
        "grep for the limiter's storage setting, and count the workers of the start command";
    RATE_FORGED = "LF-RATE-009" High
        "A forged X-Forwarded-For passes the limiter by"
        "The local backend was asked as proxies would pass requests on: the last three addresses of X-Forwarded-For stayed the same, the first one, which any client can write, was another after the limit was used up. That request was served while the same one with the old first address was still refused. The limiter therefore believes what clients write, and whoever writes a new address with each request has no limit. Trust exactly the proxies in front, by number or range. A backend with more than three trusted proxies in front would look alike."
        "for i in $(seq 40); do curl -sS -o /dev/null -w '%{http_code}\n' -H \"X-Forwarded-For: 198.51.100.$i, 203.0.113.1, 203.0.113.2, 203.0.113.3\" LOCAL/PATH; done (none should pass beyond the limit)";

    TEST_COLLECTION = "LF-TEST-001" Medium
        "The test suite cannot be loaded"
        "Collection stops before a test has run, so nothing is tested, whatever the number of tests."
        "run the test command and read the first error";
    TEST_FAILURES = "LF-TEST-002" Medium
        "Tests fail"
        "Tests ran, and some found what they should not."
        "run the test command";
    TEST_NONE = "LF-TEST-003" Medium
        "No test ran"
        "The command ended without running a single test: a wrong path, a wrong name pattern, or everything skipped."
        "run the test command and look at the count";
    TEST_STOPPED = "LF-TEST-004" Medium
        "The test run did not end by itself"
        "The run was stopped at its time limit, or a signal ended it."
        "run the test command without a time limit";
    TEST_BEHIND = "LF-TEST-005" Low
        "Behind the collection error, tests fail"
        "With the import path mended, the suite loads and some tests fail: mending the import alone does not make it pass."
        "run the mended test command";

    TEST_HOLLOW = "LF-TEST-006" Medium
        "Tests assert nothing"
        "All tests of a file pass whatever the code does: they assert a constant, or assert nothing and call nothing that could fail."
        "read the file named";

    LOG_UNREAD = "LF-LOG-001" Low
        "A log tells of failures in words that no rule reads"
        "What such lines say plays no part in the diagnosis: a log in strange words says as little to the causes as an empty one, which is not the same as a clean one. The nearest known lines are told for each, by the words that both share (the cosine of their weighed words): that is a hint for a person, and no evidence. They are not told where a cause is likely, nor where the service came up again after them."
        "read the lines named in the log; landfall explain CAUSE";

    LOCAL_NOT_SERVED = "LF-LOCAL-001" Medium
        "The local backend does not answer its endpoints as it should"
        "What does not work on this machine will not work in production either, and production cannot be compared with it."
        "curl -sS -i http://LOCAL/PATH";
    LOCAL_SILENT = "LF-LOCAL-002" Medium
        "The local backend does not answer"
        "Nothing listens at the local address, or it accepts connections and says nothing."
        "curl -sS -i http://LOCAL/PATH";
    LOCAL_NO_START = "LF-LOCAL-003" Medium
        "The start command does not bring the application up"
        "Run as the platform would run it, with a free port in PORT and the declared variables, it ends or listens nowhere."
        "env -i PATH=\"$PATH\" PORT=8080 sh -c 'START-COMMAND'";
    LOCAL_ELSEWHERE = "LF-LOCAL-004" Medium
        "The started application listens elsewhere than it should"
        "It ignores PORT, or binds an address that only its own machine reaches."
        "ss -ltnp while it runs";
    LOCAL_NOT_TRIED = "LF-LOCAL-005" Info
        "The application could not be started from here"
        "A program or a start command is missing on this machine, so what the platform will see is not known."
        "run the start command by hand";
    LOCAL_DIFFERS = "LF-LOCAL-006" Info
        "Development runs another command than the platform"
        "Another server, other options or another port: what works under the one is not shown to work under the other."
        "compare the two commands";

    PROJ_BIND = "LF-PROJ-001" Medium
        "The deploy configuration starts a server that the platform cannot reach"
        "The server must listen on all addresses of its container (0.0.0.0 or ::), and on the port that the platform sends to: the variable PORT, or a literal port that a port map leads to. An argument list without a shell passes ${PORT} on as text."
        "read the start command and the port map in the deploy configuration";
    PROJ_SETTING_UNDECLARED = "LF-PROJ-002" Low
        "The code reads settings that are neither declared nor present"
        "Nobody who deploys learns that they are needed, and the code has no default for them."
        "grep -rn 'environ\\|getenv' . and compare with .env.example";
    PROJ_SETTING_MISSING = "LF-PROJ-003" Low
        "Declared settings without a default are not present here"
        "The example file declares them, the code reads them without a default, and neither a .env file nor this process's environment has them. Production keeps its own set, which cannot be seen from here."
        "compare the names in .env.example with those in .env and in the platform's settings";
    PROJ_UNPINNED = "LF-PROJ-004" Low
        "Dependencies are not pinned"
        "Without exact versions and without a lock file, the next build may install other code than the one that was tested."
        "read the manifest";
    PROJ_UNCOMMITTED = "LF-PROJ-005" Low
        "Changes are not committed"
        "A deployment from version control will not contain them."
        "git status --short";
    PROJ_UNPUSHED = "LF-PROJ-006" Low
        "Commits are not pushed"
        "A deployment from the remote branch will not contain them."
        "git log @{upstream}.. --oneline";
    PROJ_SCHEDULER = "LF-PROJ-007" Low
        "A scheduler starts in every worker process"
        "It is started when the module is imported, and the server runs several worker processes, so each job runs once in each: mails twice, charges twice."
        "read the place named and the number of workers";
    PROJ_RUNTIME = "LF-PROJ-008" Low
        "This machine's runtime is another version than the project asks for"
        "What works here may not work in production, and the reverse."
        "compare the version file with the interpreter's own version";
    PROJ_BIND_CHANGED = "LF-PROJ-009" Info
        "The deploy configuration's bind port was changed"
        "The history shows another port or another way to choose it. Whether that can have kept production from answering follows from the port map."
        "git log -p -- DEPLOY-FILE";
    PROJ_UNREAD = "LF-PROJ-010" Info
        "Parts of the project could not be read"
        "A file is broken, too large or in a form that Landfall does not know; what it would have shown is not known."
        "open the files named";
    PROJ_START = "LF-PROJ-011" Medium
        "The start command leads nowhere"
        "A deploy configuration names a file, module, object or script that the project does not have, or nothing to start at all."
        "run the start command in a fresh clone";
    PROJ_NO_SHELL = "LF-PROJ-012" Medium
        "A start command holds a variable that nothing expands"
        "An argument list is run without a shell, so ${PORT} reaches the server as these seven characters."
        "read the start command: is it a list, or a text for a shell?";
    PROJ_DEV_SERVER = "LF-PROJ-013" Medium
        "Production starts a development server"
        "The framework's own documentation says of this command that it is not for production."
        "read the start command";
    PROJ_LEFT_OUT = "LF-PROJ-014" Medium
        "An ignore rule leaves out a file that is used"
        "A rule of .dockerignore, .gcloudignore, .gitignore or the like keeps a file out that the code or the build asks for."
        "docker build . or: git check-ignore -v FILE";
    PROJ_CASE = "LF-PROJ-015" Medium
        "A path differs from the file in letter case"
        "File systems of macOS and Windows take both for one, that of Linux does not."
        "git ls-files | grep -i NAME";
    PROJ_POINTER = "LF-PROJ-016" Medium
        "Content of the repository has not been fetched"
        "A Git LFS pointer stands where the content should be, or a submodule is empty."
        "git lfs ls-files; git submodule status";
    PROJ_OUTPUT = "LF-PROJ-017" Medium
        "The build's output is not where it is looked for"
        "What is started or served lies in a folder that no step of the deployment makes, or that is called otherwise."
        "run the build command and look at what it writes";
    PROJ_LOCK = "LF-PROJ-018" Medium
        "Manifest and lock file disagree"
        "npm ci, poetry install, bundle install --frozen and their like refuse to install, or install what nobody tested."
        "npm ci --dry-run, poetry check --lock, cargo check --locked, bundle check";
    PROJ_LOCKS = "LF-PROJ-019" Low
        "There are lock files of several package managers"
        "Which of them a platform goes by is its own choice."
        "git ls-files | grep -E 'lock'";
    PROJ_DEPENDENCY = "LF-PROJ-020" Medium
        "Running code imports a package that production does not install"
        "The manifest does not name it, or names it for development only."
        "install the production dependencies into an empty folder and start";
    PROJ_RUNTIME_NEEDS = "LF-PROJ-021" Medium
        "The runtime asked for does not fit the code"
        "The code or a dependency uses what that version does not have yet, or no longer has."
        "start with the version that the deploy configuration names";
    PROJ_RUNTIMES = "LF-PROJ-022" Low
        "Files ask for different versions of the runtime"
        "Each tool and platform reads its own file, so what is tested is not what runs."
        "compare the places named";
    PROJ_CONFIG = "LF-PROJ-023" Medium
        "A deploy configuration is not what its platform reads"
        "It does not parse, holds a key or type that the platform refuses, or has a name or place where nobody looks."
        "use the platform's own check: fly config validate, docker compose config, kubectl apply --dry-run=client";
    PROJ_DISAGREE = "LF-PROJ-024" Medium
        "Deploy configurations disagree"
        "Several files describe one application with different ports, health paths or commands; which one counts is the platform's choice."
        "compare the files named";
    PROJ_PROXY_PORT = "LF-PROJ-025" Medium
        "The proxy leads to a port that nothing binds"
        "nginx or Caddy passes requests on to this machine, to a port that no start command of the project binds."
        "compare proxy_pass or reverse_proxy with the start command";
    PROJ_SCRIPT = "LF-PROJ-026" Medium
        "The start script cannot be run on Linux"
        "It has Windows line ends, or lacks the executable bit."
        "file SCRIPT; git ls-files --stage SCRIPT";
    PROJ_HEALTH = "LF-PROJ-027" Medium
        "The platform's health check asks for a path that the code does not serve"
        "It gets 404, and the platform takes the instance out or rolls the deployment back."
        "start the server and curl -i its health path";
    PROJ_ROOT = "LF-PROJ-028" Medium
        "The folder to build in is wrong"
        "The root directory or Dockerfile path of a deploy configuration does not exist, or holds no application."
        "list the folder named";
    PROJ_SERVICE = "LF-PROJ-029" Medium
        "A service leads to no container"
        "Its selector matches no labels, or its target port is none of the container's."
        "kubectl get endpoints SERVICE";
    PROJ_WORKER = "LF-PROJ-030" Medium
        "The server's workers do not fit the application"
        "An asynchronous application needs a server of ASGI, or workers that speak it."
        "read the start command and the application's class";
    PROJ_STATIC = "LF-PROJ-031" Medium
        "A server is deployed where only files are served"
        "The target of the deployment is a host of static files, and the project has a server."
        "read the deploy configuration's output folder or type";
    PROJ_SECRET = "LF-PROJ-032" High
        "A secret is under version control"
        "A file that git tracks carries the value of a secret. Deleting it leaves it in the history."
        "git ls-files | grep env; git log --all -- FILE";
    PROJ_SECRET_DEFAULT = "LF-PROJ-033" Medium
        "The code carries a default for a secret"
        "A missing secret goes unnoticed, and the one in use is known to everybody who can read the code."
        "read the place named";
    PROJ_NEAR_MISS = "LF-PROJ-034" Medium
        "A setting is read under one name and set under another"
        "The two names are nearly one: a word more, a letter other."
        "grep -rn both names";
    PROJ_SHAPE = "LF-PROJ-035" Medium
        "A setting holds something of another kind than it should"
        "A URL in a key's place, a command line pasted whole, a scheme that the driver does not take. Checks for presence pass."
        "look at the variable in the file named (its value is not in this report)";
    PROJ_SPEC = "LF-PROJ-036" Low
        "The OpenAPI document and the code name different routes"
        "Clients are made from the document, requests are answered by the code."
        "compare the document's paths with the routes of the code";
    PROJ_BUILD_ENV = "LF-PROJ-037" Low
        "A variable that is baked in at build time is given to no build"
        "Bundlers replace it while they build; setting it for the server later changes nothing."
        "build without the variable and search the output for undefined";
    PROJ_LOCAL = "LF-PROJ-038" Low
        "An address of this machine is written into code or configuration"
        "In production it is the address of the container or of the visitor's own computer."
        "grep -rn localhost";
    PROJ_LOOPBACK = "LF-PROJ-039" Medium
        "The code listens on its own machine only"
        "A server on 127.0.0.1 or localhost is reached from its own container alone; the platform's router comes from outside."
        "start the container and, in it: ss -ltn";
    PROJ_PORT_FIXED = "LF-PROJ-040" Medium
        "The code listens on a fixed port where the platform chooses it"
        "The platform tells the port in the variable PORT, and waits for a server there."
        "PORT=7654 START-COMMAND, and in another shell: curl -i http://localhost:7654/";
    PROJ_UNREGISTERED = "LF-PROJ-041" Medium
        "The code declares a route that the framework has not registered"
        "The started application was asked for its routes, and this one is not among them: its blueprint is never registered, its router never mounted, or a condition leaves it out. It is answered as any path that does not exist, wherever the application runs."
        "landfall audit --start; in Flask: flask routes; in Django: manage.py show_urls (django-extensions); in Rails: bin/rails routes";
    PROJ_SERVED_SPEC = "LF-PROJ-042" Low
        "The OpenAPI document that is served names operations that the project does not have"
        "Clients are made from the document. What it names and neither the code nor the framework has is either answered with 404, or served by another build than this one."
        "curl -s URL/openapi.json, and compare its paths with the routes of the code";
    PROJ_PORT_TAKEN = "LF-PROJ-043" Medium
        "A port that a process cannot have"
        "Two processes that share a network are given one port, or a process that does not run as root is given one below 1024. One of them ends as soon as it starts."
        "ss -ltnp where it runs; systemctl cat UNIT, kubectl describe pod, docker compose config";
    PROJ_PROBE = "LF-PROJ-044" Medium
        "A probe asks a port where its answer is not served"
        "The platform takes the instance for unhealthy, sends it nothing, and restarts it, however well it serves."
        "kubectl describe pod, and from inside the pod: curl -i http://localhost:PORT/PATH";
    PROJ_PATHS = "LF-PROJ-045" Medium
        "Paths on the way to the code are not those of the code"
        "A proxy takes a prefix off that the routes begin with, or leaves one on that they do not have, or an ingress takes no path that leads to them. The answer is 404."
        "ask the server behind the proxy itself: curl -i http://localhost:PORT/PATH, with the prefix and without it";
    PROJ_DATABASE = "LF-PROJ-046" Medium
        "What the code asks of its database is not what the database is made with"
        "Another database, user or password, or a connection without TLS where TLS is asked for: the server refuses, and each route that needs it fails."
        "connect with the same values by the database's own client (psql, mysql)";
    PROJ_STOP = "LF-PROJ-047" Low
        "The program ends with requests still open"
        "When a deployment replaces it, requests that are under way are cut off: errors for a moment, at each deploy."
        "send a slow request, then kill -TERM the process: the answer has to come";
    PROJ_QUEUE = "LF-PROJ-048" Medium
        "Work is handed to a queue that nothing deployed takes from"
        "Requests are answered, and what they set off (mail, invoices, exports) is never done."
        "look at the length of the queue, and at the list of running processes";
    PROJ_TRIGGER = "LF-PROJ-049" Medium
        "The workflow that deploys is set off by no change of the code"
        "Its path filter names folders that are not there any more; changes are merged and not deployed."
        "gh run list --workflow FILE after the next push";
    PROJ_TESTS = "LF-PROJ-050" Medium
        "Tests that are not run, or cannot be"
        "The runner does not look for files of these names, or cannot import the project, or the service that the tests need is not started."
        "run the workflow's own command in a fresh clone and read how many tests ran";
    PROJ_DATA_FILE = "LF-PROJ-051" Medium
        "A file that the code reads does not parse"
        "The program ends when it reads it: at its start, or in the route that needs it."
        "python3 -m json.tool FILE";
    PROJ_NATIVE = "LF-PROJ-052" Medium
        "The image lacks a shared library"
        "What was built in one stage is started in another that does not have the libraries it is linked against."
        "in the image: ldd PROGRAM-OR-MODULE | grep 'not found'";
    PROJ_BODY = "LF-PROJ-053" Medium
        "A proxy refuses uploads that the application takes"
        "What lies between the two sizes is answered with 413 before the application sees it."
        "send a file of a size between the two through the proxy: curl -F file=@FILE";
    PROJ_COOKIE = "LF-PROJ-054" Medium
        "The session's cookie is never sent"
        "The framework sends a secure cookie only over what it takes for TLS, and takes nobody's word for it: who signs in is a stranger in the next request."
        "sign in with curl -i through the proxy: the answer has to carry Set-Cookie";
    PROJ_EXIT = "LF-PROJ-055" Medium
        "One request can end the whole program"
        "A handler exits the process where it should answer with an error: whatever else is under way is cut off with it."
        "let the handler meet its error once: the process has to go on";
    PROJ_MEMORY = "LF-PROJ-056" Medium
        "The runtime may take more memory than its container has"
        "The kernel kills the process before its own collector sees a need."
        "docker stats, or kubectl top pod, beside the limit";
    PROJ_POOL = "LF-PROJ-057" Medium
        "The pools are larger than the database"
        "Under load the database refuses connections, and requests fail that have nothing to do with each other."
        "select count(*) from pg_stat_activity under load, beside show max_connections";
    PROJ_SCALE = "LF-PROJ-058" Medium
        "The deploy configuration starts no instance"
        "Nothing runs that could answer, whatever the code and the address are."
        "ask the platform how many instances it wants and how many are ready";
    PROJ_GRACE = "LF-PROJ-059" Medium
        "Health checks give up sooner than the start can be done"
        "The platform restarts the instance while it still comes up, again and again."
        "measure the time from start to the first answer, and compare it with the check's";
    PROJ_UPGRADE = "LF-PROJ-061" Medium
        "WebSockets do not pass the proxy"
        "The proxy asks the application without the upgrade, so that every connection is refused; what falls back to polling is slow, the rest fails."
        "curl -si --http1.1 -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==' URL: 101 is right";
    PROJ_REMOVED = "LF-PROJ-060" Medium
        "The code uses what its version of a package no longer has"
        "What ran before the upgrade fails with the version that is declared."
        "install from the manifest into an empty environment and start the program";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_well_formed_and_explained() {
        let form =
            regex::Regex::new(r"^LF-(DNS|TLS|HTTP|PATH|RATE|TEST|LOCAL|LOG|PROJ)-\d{3}$").expect("valid");
        let mut seen = BTreeSet::new();
        for code in finding_codes() {
            assert!(form.is_match(code.code), "{}", code.code);
            assert!(seen.insert(code.code), "{} twice", code.code);
            assert!(code.meaning.ends_with(['.', ')']) && code.meaning.len() > 40, "{}", code.code);
            assert!(!code.title.ends_with('.') && !code.by_hand.is_empty(), "{}", code.code);
        }
    }
}
