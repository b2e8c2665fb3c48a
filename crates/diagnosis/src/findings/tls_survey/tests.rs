use jiff::Timestamp;
use landfall_evidence::{
    CertificateDetails, LargeHello, Resumption, RevocationCheck, RevocationList, Seen, ServerHelloShown,
    Silence, SuiteStanding, TlsSurveyObservation, TrustPath, TrustRefusal, VersionStanding, WithoutName,
};

use super::*;
use crate::testworld::{World, deployed, now};

fn declined() -> Standing {
    Standing::NotOffered { said: vec!["alert 40 (handshake_failure)".into(); 2] }
}

/// What a server of today shows, that has nothing to answer for.
fn clean() -> TlsSurvey {
    let modern =
        |version: TlsVersion| if version >= TlsVersion::Tls12 { Standing::Offered } else { declined() };
    TlsSurvey {
        versions: TlsVersion::ALL
            .map(|version| VersionStanding { version, standing: modern(version) })
            .into(),
        suites: SuiteClass::ALL
            .map(|class| SuiteStanding { class, suite: None, standing: declined() })
            .into(),
        dh_bit: None,
        server_hello: Some(ServerHelloShown {
            version: "TLSv1.2".into(),
            cipher_suite: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256".into(),
            group: Some("X25519".into()),
            alpn: Some("http/1.1".into()),
            secure_renegotiation: true,
            extended_master_secret: true,
            ..ServerHelloShown::default()
        }),
        weak_groups: GroupStanding { group: None, standing: declined() },
        post_quantum: GroupStanding { group: Some("X25519MLKEM768".into()), standing: Standing::Offered },
        large_hello: LargeHello {
            sent_byte: 1_700,
            answer: Observed::Present("TLSv1.3".into()),
            small_answered: true,
        },
        without_name: Observed::Present(WithoutName {
            sha256: Some("hash of levqor.ai".into()),
            names: vec!["levqor.ai".into()],
        }),
        resumption: Observed::Present(Resumption {
            version: "TLSv1.3".into(),
            tickets: 2,
            lifetime_s: Some(7_200),
            early_data_byte: 0,
            resumed: Some(true),
            alpn: Some("http/1.1".into()),
            stapled: false,
        }),
        revocation: None,
        issuer: None,
        connections: 13,
        at_once: 5,
        read_byte: 9_000,
    }
}

/// A deployed world in which every address of the public name was surveyed alike.
fn surveyed(edit: impl FnOnce(&mut TlsSurvey)) -> World {
    let mut survey = clean();
    edit(&mut survey);
    let mut world = deployed();
    let addresses: Vec<_> = world
        .0
        .tls()
        .filter(|(o, _)| o.vantage == Vantage::Edge)
        .map(|(_, s)| (s.question.host.clone(), s.question.address))
        .collect();
    for (host, address) in addresses {
        let seen = TlsSurveyObservation {
            host,
            address,
            connected_to: None,
            answer: Observed::Present(Box::new(survey.clone())),
        };
        world.push(&format!("tls-survey/edge/{address}"), Vantage::Edge, Seen::TlsSurvey(seen));
    }
    world
}

fn codes(world: World) -> Vec<(String, Severity)> {
    let findings = world.diagnose().findings;
    findings.into_iter().filter(|f| f.code.starts_with("LF-TLS-")).map(|f| (f.code, f.severity)).collect()
}

fn version(survey: &mut TlsSurvey, version: TlsVersion, standing: Standing) {
    survey.versions.iter_mut().find(|v| v.version == version).expect("all are there").standing = standing;
}

fn offer(survey: &mut TlsSurvey, class: SuiteClass, suite: &str) {
    let place = survey.suites.iter_mut().find(|s| s.class == class).expect("all are there");
    place.suite = Some(suite.into());
    place.standing = Standing::Offered;
}

fn resumption(survey: &mut TlsSurvey, edit: impl FnOnce(&mut Resumption)) {
    if let Observed::Present(shown) = &mut survey.resumption {
        edit(shown);
    }
}

fn hello(survey: &mut TlsSurvey, edit: impl FnOnce(&mut ServerHelloShown)) {
    edit(survey.server_hello.as_mut().expect("there is one"));
}

fn alert(code: u8) -> Denial {
    Denial::TlsAlert { code, name: "name".into() }
}

type Rule = (&'static str, &'static [(&'static str, Severity)], fn(&mut TlsSurvey));

#[test]
fn each_rule_of_a_survey_fires_on_its_own_fault_alone() {
    use Severity::{High, Info, Low, Medium};
    let rules: &[Rule] = &[
        ("a server of today", &[], |_| {}),
        ("TLS 1.0 and 1.1", &[("LF-TLS-018", Low)], |s| {
            version(s, TlsVersion::Tls10, Standing::Offered);
            version(s, TlsVersion::Tls11, Standing::Offered);
        }),
        ("SSLv3", &[("LF-TLS-019", High)], |s| version(s, TlsVersion::Ssl3, Standing::Offered)),
        ("nothing of today", &[("LF-TLS-020", High)], |s| {
            version(s, TlsVersion::Tls12, declined());
            version(s, TlsVersion::Tls13, declined());
        }),
        ("TLS 1.3 alone", &[], |s| version(s, TlsVersion::Tls12, declined())),
        ("a version that nobody answered for", &[("LF-TLS-042", Info)], |s| {
            version(s, TlsVersion::Tls12, Standing::Open { why: "connection reset in tls".into() });
            version(s, TlsVersion::Tls13, declined());
        }),
        ("what was not asked", &[], |s| {
            version(s, TlsVersion::Tls12, Standing::Unasked { why: "spent".into() });
            s.post_quantum.standing = Standing::Unasked { why: "spent".into() };
        }),
        ("NULL", &[("LF-TLS-021", High)], |s| offer(s, SuiteClass::Null, "TLS_RSA_WITH_NULL_SHA256")),
        ("RC4", &[("LF-TLS-022", Medium)], |s| offer(s, SuiteClass::Rc4, "TLS_RSA_WITH_RC4_128_SHA")),
        ("a prime of 1,024 bits", &[("LF-TLS-023", Medium)], |s| s.dh_bit = Some(1024)),
        ("a prime of 2,048 bits", &[], |s| s.dh_bit = Some(2048)),
        ("CBC", &[("LF-TLS-024", Info)], |s| {
            offer(s, SuiteClass::Cbc, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA");
        }),
        ("static RSA", &[("LF-TLS-024", Low)], |s| {
            offer(s, SuiteClass::StaticRsa, "TLS_RSA_WITH_AES_128_GCM_SHA256");
        }),
        ("a weak curve", &[("LF-TLS-025", High)], |s| {
            s.weak_groups = GroupStanding { group: Some("secp192r1".into()), standing: Standing::Offered };
        }),
        ("no hybrid", &[("LF-TLS-026", Info)], |s| {
            s.post_quantum = GroupStanding { group: None, standing: declined() };
        }),
        ("a large hello is reset", &[("LF-TLS-027", High)], |s| {
            s.large_hello.answer = Observed::Denied(Denial::Reset { phase: Phase::Tls });
        }),
        ("a large hello meets silence", &[("LF-TLS-027", High)], |s| {
            s.large_hello.answer = Observed::Silent(Silence { phase: Phase::Tls, waited_us: 5_000_000 });
        }),
        ("no hello is answered", &[], |s| {
            s.large_hello.answer = Observed::Denied(Denial::Reset { phase: Phase::Tls });
            s.large_hello.small_answered = false;
        }),
        ("an alert is an answer to a large hello", &[], |s| {
            s.large_hello.answer = Observed::Denied(alert(40))
        }),
        ("no HTTP/1.1", &[("LF-TLS-028", Low)], |s| s.resumption = Observed::Denied(alert(120))),
        ("another certificate without a name", &[("LF-TLS-029", Info)], |s| {
            s.without_name = Observed::Present(WithoutName {
                sha256: Some("other".into()),
                names: vec!["default.example".into()],
            });
        }),
        ("no certificate without a name", &[("LF-TLS-029", Info)], |s| {
            s.without_name = Observed::Denied(alert(112));
        }),
        ("no sessions", &[("LF-TLS-034", Info)], |s| resumption(s, |r| (r.tickets, r.resumed) = (0, None))),
        ("sessions that are not taken up", &[("LF-TLS-034", Info)], |s| {
            resumption(s, |r| r.resumed = Some(false));
        }),
        ("a second handshake that failed", &[], |s| resumption(s, |r| r.resumed = None)),
        ("tickets of three days", &[("LF-TLS-035", Low)], |s| {
            resumption(s, |r| r.lifetime_s = Some(259_200));
        }),
        ("early data", &[("LF-TLS-036", Medium)], |s| resumption(s, |r| r.early_data_byte = 16_384)),
        ("insecure renegotiation", &[("LF-TLS-037", High)], |s| hello(s, |h| h.secure_renegotiation = false)),
        ("no extended master secret", &[("LF-TLS-038", Low)], |s| {
            hello(s, |h| h.extended_master_secret = false);
        }),
        ("compression", &[("LF-TLS-039", High)], |s| hello(s, |h| h.compression = true)),
    ];
    for (name, want, edit) in rules {
        let got = codes(surveyed(edit));
        let got: Vec<(&str, Severity)> = got.iter().map(|(c, s)| (c.as_str(), *s)).collect();
        assert_eq!(&got, want, "{name}");
    }
}

#[test]
fn a_list_speaks_only_under_its_issuers_signature() {
    let listed = |revoked: bool, holds: Option<bool>| {
        surveyed(move |s| {
            s.revocation = Some(RevocationCheck {
                url: "http://ca.example.test/1.crl".into(),
                answer: Observed::Present(RevocationList {
                    issuer: "CN=WE1".into(),
                    this_update: now(),
                    next_update: None,
                    entries: 7,
                    revoked_at: revoked.then_some(Timestamp::UNIX_EPOCH),
                    signature_holds: holds,
                }),
            });
        })
    };
    assert_eq!(codes(listed(false, Some(true))), []);
    assert_eq!(codes(listed(true, Some(true))), [("LF-TLS-032".into(), Severity::Critical)]);
    assert_eq!(codes(listed(true, None)), [("LF-TLS-032".into(), Severity::Critical)]);
    assert_eq!(codes(listed(true, Some(false))), [("LF-TLS-033".into(), Severity::Low)]);
    let gone = surveyed(|s| {
        s.revocation = Some(RevocationCheck {
            url: "http://ca.example.test/1.crl".into(),
            answer: Observed::Denied(Denial::Refused),
        });
    });
    assert_eq!(codes(gone), [("LF-TLS-033".into(), Severity::Low)]);
}

#[test]
fn a_demanded_status_must_come() {
    let demanding = |stapled: bool| {
        surveyed(move |s| resumption(s, |r| r.stapled = stapled)).edit_tls(|h| {
            h.chain[0].more = Some(CertificateDetails { must_staple: true, ..CertificateDetails::default() });
        })
    };
    assert_eq!(codes(demanding(false)), [("LF-TLS-031".into(), Severity::High)]);
    assert_eq!(codes(demanding(true)), []);
}

#[test]
fn the_default_certificate_for_the_right_name_means_that_it_is_not_set_up() {
    let world = surveyed(|_| {}).edit_tls(|h| h.name_matches = false);
    let found = world.findings("LF-TLS-029");
    assert_eq!((found.len(), found[0].severity), (1, Severity::Medium));
    assert!(found[0].title.contains("as any unknown name does"), "{}", found[0].title);
}

#[test]
fn fetching_the_issuer_says_who_fails() {
    use landfall_evidence::{IssuerFetch, IssuerFetched, TrustResult};
    let fetched = |result: TrustResult| {
        let world = surveyed(move |s| {
            s.issuer = Some(IssuerFetch {
                url: "http://ca.example.test/we1.der".into(),
                answer: Observed::Present(IssuerFetched {
                    subject: "CN=WE1".into(),
                    trust: vec![TrustPath { store: "webpki-roots 1".into(), result }],
                }),
            });
        });
        let world = world.edit_tls(|h| {
            h.chain.truncate(1);
            h.trust = vec![TrustPath {
                store: "webpki-roots 1".into(),
                result: TrustResult::Refused { reason: TrustRefusal::IncompleteChain, detail: "no".into() },
            }];
        });
        world.findings("LF-TLS-005")[0].impact.clone()
    };
    let works = fetched(TrustResult::Trusted { path: vec!["CN=levqor.ai".into()] });
    assert!(works.contains("Browsers fetch it from http://ca.example.test/we1.der"), "{works}");
    let fails = fetched(TrustResult::Refused { reason: TrustRefusal::UnknownIssuer, detail: "no".into() });
    assert!(fails.contains("every client fails"), "{fails}");
}

#[test]
fn the_same_at_two_addresses_is_one_finding_with_two_proofs() {
    let found = surveyed(|s| s.dh_bit = Some(1024)).findings("LF-TLS-023");
    assert_eq!((found.len(), found[0].evidence.len()), (1, 2));
    assert!(found[0].title.contains("(threshold 2048: NIST SP 800-52"), "{}", found[0].title);
}

#[test]
fn a_threshold_of_the_caller_counts_and_is_named() {
    let mut world = surveyed(|s| s.dh_bit = Some(2048));
    world.0.settings.thresholds.insert("tls_dh_bits_min".into(), 3072);
    let found = world.findings("LF-TLS-023");
    assert!(
        found[0].title.contains("(threshold 3072: tls_dh_bits_min in landfall.toml)"),
        "{}",
        found[0].title
    );
}
