//! What a survey of a TLS endpoint shows: versions, cipher suites, groups, and how it treats clients.
//!
//! A question that stayed open is never a pass and never a fault: all of them are one finding of their own.

use landfall_evidence::{
    Denial, GroupStanding, Observation, ObservationId, Observed, Phase, Standing, SuiteClass, TlsHandshake,
    TlsSurvey, TlsVersion, TrustResult, Vantage,
};

use super::{codes, raise, with_severity};
use crate::case::Case;
use crate::thresholds::{DH_BITS, TICKET_LIFETIME};
use crate::words::in_words;
use crate::{Finding, FindingCode, Severity};

pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for (observation, seen) in case.evidence().tls_surveys().filter(|(o, _)| o.vantage == Vantage::Edge) {
        let Some(survey) = seen.answer.present() else { continue };
        let handshake = case.evidence().tls().find(|(o, s)| {
            o.vantage == observation.vantage
                && s.question.host == seen.host
                && s.question.address == seen.address
        });
        let endpoint = Endpoint {
            case,
            host: &seen.host,
            survey,
            handshake: handshake.and_then(|(_, s)| s.answer.present()),
            observation,
        };
        for finding in endpoint.findings() {
            // The same at every address is one finding with several proofs.
            match found.iter_mut().find(|f| f.code == finding.code && f.title == finding.title) {
                Some(known) => known.evidence.extend(finding.evidence),
                None => found.push(finding),
            }
        }
    }
    found
}

struct Endpoint<'a> {
    case: &'a Case<'a>,
    host: &'a str,
    survey: &'a TlsSurvey,
    /// The ordinary handshake with the same address.
    handshake: Option<&'a TlsHandshake>,
    observation: &'a Observation,
}

impl Endpoint<'_> {
    fn findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        found.extend(self.versions());
        found.extend(self.suites());
        found.extend(self.groups());
        found.extend(self.server_hello());
        found.extend(self.hello_size());
        found.extend(self.http1());
        found.extend(self.default_certificate());
        found.extend(self.sessions());
        found.extend(self.staple());
        found.extend(self.revocation());
        found.extend(self.open());
        found
    }

    fn raise(&self, code: &FindingCode, title: String, impact: &str, remedy: &str) -> Finding {
        raise(code, title, impact, remedy, vec![self.observation.id.clone()])
    }

    fn version(&self, version: TlsVersion) -> Option<&Standing> {
        self.survey.versions.iter().find(|v| v.version == version).map(|v| &v.standing)
    }

    fn versions(&self) -> Vec<Finding> {
        let host = self.host;
        let offered = |version| self.version(version).is_some_and(Standing::is_offered);
        let declined = |version| matches!(self.version(version), Some(Standing::NotOffered { .. }));
        let mut found = Vec::new();
        if offered(TlsVersion::Ssl3) {
            found.push(self.raise(
                &codes::TLS_SSL3,
                format!("{host} offers SSLv3"),
                "What it encrypts can be read by whoever can make the client repeat itself (POODLE).",
                "Switch SSLv3 off.",
            ));
        }
        let old: Vec<&str> = [(TlsVersion::Tls10, "TLS 1.0"), (TlsVersion::Tls11, "TLS 1.1")]
            .into_iter()
            .filter(|(version, _)| offered(*version))
            .map(|(_, name)| name)
            .collect();
        if declined(TlsVersion::Tls12) && declined(TlsVersion::Tls13) {
            found.push(self.raise(
                &codes::TLS_NO_MODERN_VERSION,
                format!("{host} offers neither TLS 1.2 nor TLS 1.3"),
                "Clients of today do not connect.",
                "Switch TLS 1.2 and 1.3 on.",
            ));
        }
        if !old.is_empty() {
            found.push(self.raise(
                &codes::TLS_OLD_VERSIONS_OFFERED,
                format!("{host} still offers {}", in_words(&old)),
                "No client of the last ten years needs it, and audits of payment and health data fail by it.",
                "Raise the minimum to TLS 1.2: ssl_protocols in nginx, ssl-min-ver in HAProxy; at Cloudflare, whose default minimum is TLS 1.0, it is SSL/TLS, Edge Certificates, Minimum TLS Version.",
            ));
        }
        found
    }

    fn suites(&self) -> Vec<Finding> {
        let host = self.host;
        let offered = |class: SuiteClass| {
            self.survey.suites.iter().find(|s| s.class == class && s.standing.is_offered())
        };
        let named = |classes: &[SuiteClass]| -> Vec<String> {
            let of = |class: &SuiteClass| {
                offered(*class).map(|s| match &s.suite {
                    Some(suite) => format!("{class} ({suite})"),
                    None => class.to_string(),
                })
            };
            classes.iter().filter_map(of).collect()
        };
        let mut found = Vec::new();
        let broken = named(&[SuiteClass::Anonymous, SuiteClass::Null, SuiteClass::Export]);
        if !broken.is_empty() {
            found.push(self.raise(
                &codes::TLS_BROKEN_SUITES,
                format!("{host} offers cipher suites that protect nothing: {}", in_words(&broken)),
                "Whoever is on the way can lead a client that takes them there, and read or change everything.",
                "Take them out of the server's cipher list.",
            ));
        }
        let weak = named(&[SuiteClass::Rc4, SuiteClass::TripleDes]);
        if !weak.is_empty() {
            found.push(self.raise(
                &codes::TLS_WEAK_SUITES,
                format!("{host} offers weak cipher suites: {}", in_words(&weak)),
                "Long connections leak what they carry.",
                "Take them out of the server's cipher list.",
            ));
        }
        let set = &self.case.evidence().settings.thresholds;
        if let Some(bits) = self.survey.dh_bit.filter(|bits| u64::from(*bits) < DH_BITS.of(set)) {
            found.push(self.raise(
                &codes::TLS_SHORT_DH,
                format!("{host} exchanges keys over a prime of {bits} bits {}", DH_BITS.words(set)),
                "Primes of 1,024 bits and less are within reach of well-funded attackers (Logjam).",
                "Take DHE out of the cipher list, or give the server parameters of 2,048 bits or more.",
            ));
        }
        let dated = named(&[SuiteClass::StaticRsa, SuiteClass::Dhe, SuiteClass::Cbc]);
        if !dated.is_empty() {
            let finding = self.raise(
                &codes::TLS_DATED_SUITES,
                format!("{host} offers cipher suites of yesterday: {}", in_words(&dated)),
                "With static RSA, whoever gets the key later can read what was recorded before; CBC has a record of padding attacks.",
                "If no client needs them, keep ECDHE with AES-GCM or ChaCha20 alone (Mozilla's intermediate profile).",
            );
            let severity = match offered(SuiteClass::StaticRsa) {
                Some(_) => Severity::Low,
                None => Severity::Info,
            };
            found.push(with_severity(finding, severity));
        }
        found
    }

    fn groups(&self) -> Vec<Finding> {
        let host = self.host;
        let mut found = Vec::new();
        if let GroupStanding { group: Some(group), standing: Standing::Offered } = &self.survey.weak_groups {
            found.push(self.raise(
                &codes::TLS_WEAK_GROUP,
                format!("{host} exchanges keys over {group} (threshold 224 bits: SSL Labs, RFC 8422 section 5.1.1)"),
                "Below 112 bits of strength.",
                "Offer X25519, P-256 and P-384 alone.",
            ));
        }
        let rare = self.survey.server_hello.as_ref().and_then(|shown| shown.group.as_deref());
        let rare = rare.filter(|group| {
            ["secp521r1", "brainpool", "X448", "secp224r1"].iter().any(|kind| group.starts_with(kind))
        });
        // A server that has a usual group as well may still prefer a rare one; then the ordinary handshake came about.
        if let (Some(group), None) = (rare, self.handshake) {
            found.push(self.raise(
                &codes::TLS_RARE_GROUP,
                format!("{host} exchanges keys over {group}, and over none of the groups that clients have"),
                "Most clients cannot connect.",
                "Offer X25519, P-256 and P-384.",
            ));
        }
        let hybrid = &self.survey.post_quantum.standing;
        if matches!(hybrid, Standing::NotOffered { .. }) {
            found.push(self.raise(
                &codes::TLS_NO_HYBRID,
                format!("{host} does not offer the post-quantum key exchange X25519MLKEM768"),
                "What is recorded today can be read once there is a quantum computer that is large enough.",
                "Nothing is broken; it comes with OpenSSL 3.5, with BoringSSL, and with the edges of the large CDNs.",
            ));
        } else if let (Standing::Offered, Some(chosen)) =
            (hybrid, self.handshake.and_then(|h| h.group.as_deref()).filter(|group| !group.contains("MLKEM")))
        {
            found.push(self.raise(
                &codes::TLS_NO_HYBRID,
                format!("{host} knows the post-quantum key exchange X25519MLKEM768, but chose {chosen}"),
                "What is recorded today can be read once there is a quantum computer that is large enough.",
                "Put X25519MLKEM768 first in the server's list of groups.",
            ));
        }
        found
    }

    fn server_hello(&self) -> Vec<Finding> {
        let host = self.host;
        let mut found = Vec::new();
        let Some(shown) = &self.survey.server_hello else { return found };
        if !shown.secure_renegotiation {
            found.push(self.raise(
                &codes::TLS_RENEGOTIATION,
                format!("{host} does not know secure renegotiation"),
                "If it renegotiates at all, somebody on the way can put a request of their own before the client's.",
                "Renew the server's TLS library: the extension is from 2010.",
            ));
        }
        if shown.compression {
            found.push(self.raise(
                &codes::TLS_COMPRESSION,
                format!("{host} compresses within TLS"),
                "The size of what is sent tells its contents, cookies included (CRIME).",
                "Switch TLS compression off.",
            ));
        }
        if !shown.extended_master_secret && !is_ssl(&shown.version) {
            found.push(self.raise(
                &codes::TLS_NO_EMS,
                format!("{host} does not tie its keys to the handshake (no extended master secret) in {}", shown.version),
                "Two handshakes can be made to end with the same keys; libraries in FIPS mode refuse to connect.",
                "Renew the server's TLS library: the extension is from 2015.",
            ));
        }
        found
    }

    fn hello_size(&self) -> Option<Finding> {
        let large = &self.survey.large_hello;
        let how = match &large.answer {
            Observed::Denied(Denial::Reset { .. } | Denial::Closed { .. }) => large.answer.describe(),
            Observed::Silent(silence) if silence.phase == Phase::Tls => large.answer.describe(),
            _ => return None,
        };
        large.small_answered.then(|| {
            self.raise(
                &codes::TLS_LARGE_HELLO,
                format!(
                    "{} answers a small hello, and not one of {} bytes in two segments ({how})",
                    self.host, large.sent_byte
                ),
                "Current browsers and libraries send such a hello, since it carries a post-quantum key: they cannot connect, and older clients can.",
                "Renew or remove what inspects TLS before the server: it reads one segment and gives up.",
            )
        })
    }

    fn http1(&self) -> Option<Finding> {
        matches!(&self.survey.resumption, Observed::Denied(Denial::TlsAlert { code: 120, .. })).then(|| {
            self.raise(
                &codes::TLS_NO_HTTP1,
                format!("{} refuses clients that speak HTTP/1.1 alone", self.host),
                "Most programs that call an API do.",
                "Add http/1.1 to the protocols that the server offers by ALPN.",
            )
        })
    }

    fn default_certificate(&self) -> Option<Finding> {
        let host = self.host;
        let leaf = self.handshake?.chain.first()?;
        let matches = self.handshake?.name_matches;
        let nameless = match &self.survey.without_name {
            Observed::Present(shown) => {
                let same = shown.sha256.as_deref() == Some(leaf.sha256.as_str());
                if same && !matches {
                    return Some(with_severity(
                        self.raise(
                            &codes::TLS_DEFAULT_CERTIFICATE,
                            format!("{host} gets the server's default certificate, as any unknown name does"),
                            "The name is not set up there.",
                            "Add the host to the server or bind the domain to the service, so that it has a certificate of its own.",
                        ),
                        Severity::Medium,
                    ));
                }
                if same {
                    return None;
                }
                let shown: Vec<&str> = shown.names.iter().take(3).map(String::as_str).collect();
                match shown.is_empty() {
                    true => "another certificate".to_owned(),
                    false => format!("a certificate for {}", in_words(&shown)),
                }
            }
            Observed::Denied(
                denial @ (Denial::TlsAlert { .. } | Denial::Closed { .. } | Denial::Reset { .. }),
            ) => {
                format!("no certificate ({denial})")
            }
            _ => return None,
        };
        Some(self.raise(
            &codes::TLS_DEFAULT_CERTIFICATE,
            format!("Clients that send no server name get {nameless} at {host}"),
            "Only very old clients and some probes send none; many platforms need it.",
            "Nothing, unless such a client matters: then make this the server's default certificate.",
        ))
    }

    fn sessions(&self) -> Vec<Finding> {
        let host = self.host;
        let set = &self.case.evidence().settings.thresholds;
        let mut found = Vec::new();
        let Observed::Present(shown) = &self.survey.resumption else { return found };
        if shown.tickets == 0 || shown.resumed == Some(false) {
            let how = match shown.tickets {
                0 => "hands out no session",
                _ => "hands out sessions and does not take them up",
            };
            found.push(self.raise(
                &codes::TLS_NO_RESUMPTION,
                format!("{host} {how}: every connection pays for a whole handshake"),
                "More work for the server and, in TLS 1.2, a round trip more for clients that come back.",
                "Switch session tickets or a session cache on; behind several machines, share their keys.",
            ));
        }
        if let Some(lifetime) = shown.lifetime_s.filter(|s| u64::from(*s) > TICKET_LIFETIME.of(set)) {
            found.push(self.raise(
                &codes::TLS_LONG_TICKET,
                format!(
                    "Sessions of {host} can be taken up for {} hours {}",
                    lifetime / 3600,
                    TICKET_LIFETIME.words(set)
                ),
                "The key that protects the tickets is worth the traffic of all that time.",
                "Shorten the lifetime to a day or less, and change the ticket keys as often.",
            ));
        }
        if shown.early_data_byte > 0 {
            found.push(self.raise(
                &codes::TLS_EARLY_DATA,
                format!("{host} takes {} bytes of early data (0-RTT)", shown.early_data_byte),
                "Requests in it can be sent again by whoever recorded them; anything that changes something may happen twice.",
                "Switch it off, or let the application answer 425 to requests that must not repeat (RFC 8470, the Early-Data header).",
            ));
        }
        found
    }

    fn staple(&self) -> Option<Finding> {
        let leaf = self.handshake?.chain.first()?;
        if !leaf.more.as_ref()?.must_staple {
            return None;
        }
        let stapled = match (&self.survey.resumption, &self.survey.server_hello) {
            (Observed::Present(shown), _) => shown.stapled,
            (_, Some(shown)) => shown.stapled,
            _ => return None,
        };
        (!stapled).then(|| {
            self.raise(
                &codes::TLS_MUST_STAPLE,
                format!("The certificate of {} demands a stapled status, and none is sent", self.host),
                "Clients that heed the demand refuse to connect.",
                "Renew without the Must-Staple extension, which authorities no longer support, or switch OCSP stapling on.",
            )
        })
    }

    fn revocation(&self) -> Option<Finding> {
        let host = self.host;
        let check = self.survey.revocation.as_ref()?;
        match &check.answer {
            Observed::Present(list) => {
                let at = list.revoked_at?;
                // A list that somebody else signed says nothing; the caller learns that it is there all the same.
                if list.signature_holds == Some(false) {
                    return Some(self.raise(
                        &codes::TLS_LIST_UNREACHABLE,
                        format!("The list of revoked certificates at {} is not signed by the issuer of {host}'s certificate", check.url),
                        "Whether the certificate was revoked cannot be told.",
                        "Look at what answers under that address.",
                    ));
                }
                Some(self.raise(
                    &codes::TLS_REVOKED,
                    format!("The certificate of {host} was revoked on {}", at.strftime("%Y-%m-%d")),
                    "Clients that look, and today's browsers do, refuse to connect.",
                    "Get a new certificate with a new key, and ask why it was revoked: a leaked key, or a mistake of the authority.",
                ))
            }
            Observed::Unasked(_) => None,
            other => Some(self.raise(
                &codes::TLS_LIST_UNREACHABLE,
                format!(
                    "The list of revoked certificates at {} cannot be had ({})",
                    check.url,
                    other.describe()
                ),
                "Whether the certificate was revoked cannot be told; clients that insist refuse to connect.",
                "Ask again later, and from another network.",
            )),
        }
    }

    /// Questions that stayed open.
    fn open(&self) -> Option<Finding> {
        let open = |standing: &Standing| match standing {
            Standing::Open { why } => Some(why.clone()),
            _ => None,
        };
        let versions = self.survey.versions.iter().map(|v| (v.version.to_string(), &v.standing));
        let suites = self.survey.suites.iter().map(|s| (s.class.to_string(), &s.standing));
        let groups = [
            ("weak groups".to_owned(), &self.survey.weak_groups.standing),
            ("X25519MLKEM768".to_owned(), &self.survey.post_quantum.standing),
        ];
        let all: Vec<(String, String)> = versions
            .chain(suites)
            .chain(groups)
            .filter_map(|(what, standing)| Some((what, open(standing)?)))
            .collect();
        let why = &all.first()?.1;
        let what: Vec<&str> = all.iter().map(|(what, _)| what.as_str()).collect();
        Some(self.raise(
            &codes::TLS_SURVEY_OPEN,
            format!("Whether {} offers {} is not known ({why})", self.host, in_words(&what)),
            "Neither a pass nor a fault: a reset, a close or a silence may be the server's, or that of something before it.",
            "Ask once more from another network; let the address that asks pass, where a firewall counts connections.",
        ))
    }
}

/// SSLv3 and what came before know no extensions.
fn is_ssl(version: &str) -> bool {
    version.starts_with("SSL")
}

/// What fetching the missing intermediate showed, for the finding that it is missing.
pub(super) fn fetched_issuer(survey: Option<&TlsSurvey>) -> Option<String> {
    let fetch = survey?.issuer.as_ref()?;
    Some(match &fetch.answer {
        Observed::Present(fetched) => {
            let trusted: Vec<&str> = fetched
                .trust
                .iter()
                .filter(|path| matches!(path.result, TrustResult::Trusted { .. }))
                .map(|path| path.store.as_str())
                .collect();
            match trusted.is_empty() {
                false => format!(
                    "Browsers fetch it from {} and then trust the chain ({}); curl, Go, Java, Python and most API clients do not fetch and fail.",
                    fetch.url,
                    in_words(&trusted)
                ),
                true => format!(
                    "Even with the certificate of {} fetched from {}, no root store finds a path: every client fails.",
                    fetched.subject, fetch.url
                ),
            }
        }
        Observed::Unasked(_) => return None,
        other => format!(
            "It cannot be fetched from {} either ({}): every client fails.",
            fetch.url,
            other.describe()
        ),
    })
}

/// The survey of the address that an observation looked at.
pub(super) fn survey_of<'a>(case: &'a Case<'_>, id: &ObservationId) -> Option<&'a TlsSurvey> {
    let evidence = case.evidence();
    let (observation, seen) = evidence.tls().find(|(o, _)| o.id == *id)?;
    evidence
        .tls_surveys()
        .find(|(o, s)| o.vantage == observation.vantage && s.address == seen.question.address)
        .and_then(|(_, s)| s.answer.present().map(Box::as_ref))
}

#[cfg(test)]
mod tests;
