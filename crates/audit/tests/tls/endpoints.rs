//! Versions, suites, groups and the rest of a survey.

use landfall_diagnosis::Severity;
use landfall_evidence::{Denial, Observed, Standing, SuiteClass, TlsVersion};

use super::authority::{Authority, Leaf};
use super::look::{look, not_offered};
use super::servers;

#[test]
fn a_server_of_today_has_nothing_to_answer_for() {
    let authority = Authority::new();
    let server = servers::good(&authority, &authority.sign("leaf", &Leaf::default()));
    let look = look(&authority, server.address);
    assert_eq!(look.versions(), [TlsVersion::Tls12, TlsVersion::Tls13], "{look}");
    assert_eq!(look.classes(), [] as [SuiteClass; 0], "{look}");
    assert!(not_offered(&look.survey().weak_groups), "{look}");
    let shown = look.survey().server_hello.as_ref().expect("TLS 1.2 is there");
    assert!(shown.secure_renegotiation && shown.extended_master_secret && !shown.compression, "{look}");
    assert_eq!(shown.alpn.as_deref(), Some("http/1.1"), "{look}");
    assert_eq!(look.survey().large_hello.answer.present().map(String::as_str), Some("TLSv1.3"), "{look}");
    let resumption = look.survey().resumption.present().expect("two handshakes");
    assert_eq!((resumption.resumed, resumption.early_data_byte), (Some(true), 0), "{look}");
    assert_eq!(resumption.lifetime_s, Some(86_400), "ssl_session_timeout 1d, {look}");
    // OpenSSL 3.0 knows no hybrid, and that is all there is to say.
    assert!(not_offered(&look.survey().post_quantum), "{look}");
    assert_eq!(look.codes(), ["LF-TLS-026"], "{look}");
    look.kept_its_bounds();
}

#[test]
fn everything_that_openssl_still_has_is_found() {
    let authority = Authority::new();
    authority.sign("leaf", &Leaf { key: "rsa:2048", ..Leaf::default() });
    let server = servers::openssl(
        &authority,
        "-cert leaf.pem -key leaf.key -cert_chain intermediate.pem -cipher ALL:eNULL:@SECLEVEL=0 -serverpref",
    );
    let look = look(&authority, server.address);
    let versions = [TlsVersion::Tls10, TlsVersion::Tls11, TlsVersion::Tls12, TlsVersion::Tls13];
    assert_eq!(look.versions(), versions, "{look}");
    // Debian builds OpenSSL without RC4, 3DES and EXPORT.
    let classes =
        [SuiteClass::Anonymous, SuiteClass::Null, SuiteClass::StaticRsa, SuiteClass::Dhe, SuiteClass::Cbc];
    assert_eq!(look.classes(), classes, "{look}");
    look.says("LF-TLS-018", Severity::Low, "still offers TLS 1.0 and TLS 1.1");
    look.says("LF-TLS-021", Severity::High, "anonymous (TLS_");
    look.says("LF-TLS-024", Severity::Low, "static RSA (TLS_RSA_");
    look.lacks(&["LF-TLS-019", "LF-TLS-020", "LF-TLS-022", "LF-TLS-042"]);
    look.kept_its_bounds();
}

#[test]
fn tls_1_0_alone_is_named() {
    let authority = Authority::new();
    authority.sign("leaf", &Leaf { key: "rsa:2048", ..Leaf::default() });
    let server = servers::openssl(
        &authority,
        "-cert leaf.pem -key leaf.key -cert_chain intermediate.pem -tls1 -cipher ALL:@SECLEVEL=0",
    );
    let look = look(&authority, server.address);
    assert!(matches!(look.handshake(), Observed::Denied(Denial::TlsAlert { code: 70, .. })), "{look}");
    assert_eq!(look.versions(), [TlsVersion::Tls10], "{look}");
    look.says("LF-TLS-015", Severity::Critical, "TLS alert 70 (protocol_version)");
    look.says("LF-TLS-020", Severity::High, "neither TLS 1.2 nor TLS 1.3");
    look.says("LF-TLS-018", Severity::Low, "still offers TLS 1.0");
    look.lacks(&["LF-TLS-027"]);
    look.kept_its_bounds();
}

#[test]
fn tls_1_3_alone_is_fine() {
    let authority = Authority::new();
    let leaf = authority.sign("leaf", &Leaf::default());
    let chain = authority.joined("chain.pem", &[&leaf.leaf, &authority.path("intermediate.pem")]);
    let server = servers::nginx(&authority, &chain, &leaf.key, "ssl_protocols TLSv1.3;");
    let look = look(&authority, server.address);
    assert_eq!(look.versions(), [TlsVersion::Tls13], "{look}");
    assert_eq!(look.classes(), [] as [SuiteClass; 0], "{look}");
    assert_eq!(look.survey().server_hello, None, "{look}");
    look.lacks(&["LF-TLS-013", "LF-TLS-018", "LF-TLS-020", "LF-TLS-037", "LF-TLS-038", "LF-TLS-042"]);
    look.kept_its_bounds();
}

#[test]
fn tls_1_2_alone_is_said() {
    let authority = Authority::new();
    let leaf = authority.sign("leaf", &Leaf::default());
    let both = authority.joined("both.pem", &[&leaf.leaf, &authority.path("intermediate.pem"), &leaf.key]);
    let server =
        servers::haproxy(&authority, &both, "ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.2 alpn h2,http/1.1");
    let look = look(&authority, server.address);
    assert_eq!(look.versions(), [TlsVersion::Tls12], "{look}");
    look.says("LF-TLS-013", Severity::Info, "chose TLSv1.2 although TLS 1.3 was offered");
    look.lacks(&["LF-TLS-018", "LF-TLS-020", "LF-TLS-037", "LF-TLS-042"]);
    // A server with sessions of TLS 1.2 alone: its ticket or id is taken up as well.
    assert_eq!(look.survey().resumption.present().and_then(|r| r.resumed), Some(true), "{look}");
    look.kept_its_bounds();
}

#[test]
fn static_rsa_and_cbc_are_told_from_a_short_prime() {
    let authority = Authority::new();
    let leaf = authority.sign("leaf", &Leaf { key: "rsa:2048", ..Leaf::default() });
    let chain = authority.joined("chain.pem", &[&leaf.leaf, &authority.path("intermediate.pem")]);
    std::process::Command::new("openssl")
        .args(["dhparam", "-dsaparam", "-out", "dh.pem", "1024"])
        .current_dir(authority.folder())
        .output()
        .expect("openssl");
    let server = servers::nginx(
        &authority,
        &chain,
        &leaf.key,
        &format!(
            "ssl_protocols TLSv1.2; ssl_dhparam {}; ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA:DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0;",
            authority.path("dh.pem").display()
        ),
    );
    let look = look(&authority, server.address);
    assert_eq!(look.classes(), [SuiteClass::StaticRsa, SuiteClass::Dhe, SuiteClass::Cbc], "{look}");
    assert_eq!(look.survey().dh_bit, Some(1024), "{look}");
    look.says("LF-TLS-023", Severity::Medium, "a prime of 1024 bits");
    look.says("LF-TLS-024", Severity::Low, "TLS_RSA_WITH_AES_128_CBC_SHA");
    look.kept_its_bounds();
}

#[test]
fn a_curve_below_224_bits_is_found() {
    let authority = Authority::new();
    authority.sign("leaf", &Leaf { key: "rsa:2048", ..Leaf::default() });
    let server = servers::openssl(
        &authority,
        "-cert leaf.pem -key leaf.key -cert_chain intermediate.pem -cipher ECDHE:@SECLEVEL=0 -curves X25519:P-192",
    );
    let look = look(&authority, server.address);
    assert_eq!(look.survey().weak_groups.standing, Standing::Offered, "{look}");
    look.says("LF-TLS-025", Severity::High, "secp192r1");
}

#[test]
fn a_large_prime_curve_alone_is_no_fault_of_the_hello() {
    let authority = Authority::new();
    authority.sign("leaf", &Leaf::default());
    let server = servers::openssl(
        &authority,
        "-cert leaf.pem -key leaf.key -cert_chain intermediate.pem -curves P-521",
    );
    let look = look(&authority, server.address);
    // A client of today offers no P-521; the hello with every group shows what the server wants.
    assert!(matches!(look.handshake(), Observed::Denied(Denial::TlsAlert { code: 40, .. })), "{look}");
    let shown = look.survey().server_hello.as_ref().expect("TLS 1.2 is there");
    assert_eq!(shown.group.as_deref(), Some("secp521r1"), "{look}");
    look.says("LF-TLS-044", Severity::Medium, "secp521r1");
}

#[test]
fn early_data_is_seen_in_the_ticket() {
    let authority = Authority::new();
    let leaf = authority.sign("leaf", &Leaf::default());
    let chain = authority.joined("chain.pem", &[&leaf.leaf, &authority.path("intermediate.pem")]);
    let server = servers::nginx(
        &authority,
        &chain,
        &leaf.key,
        "ssl_protocols TLSv1.2 TLSv1.3; ssl_early_data on; ssl_session_timeout 3d;",
    );
    let look = look(&authority, server.address);
    look.says("LF-TLS-036", Severity::Medium, "16384 bytes of early data");
    look.says("LF-TLS-035", Severity::Low, "for 72 hours");
}

#[test]
fn a_server_without_sessions_is_said() {
    let authority = Authority::new();
    let leaf = authority.sign("leaf", &Leaf::default());
    let chain = authority.joined("chain.pem", &[&leaf.leaf, &authority.path("intermediate.pem")]);
    let settings = "ssl_protocols TLSv1.2; ssl_session_tickets off; ssl_session_cache off;";
    let server = servers::nginx(&authority, &chain, &leaf.key, settings);
    let look = look(&authority, server.address);
    look.finding("LF-TLS-034");
}

#[test]
fn an_alpn_that_fits_nobody_ends_the_handshake() {
    let authority = Authority::new();
    authority.sign("leaf", &Leaf::default());
    let server =
        servers::openssl(&authority, "-cert leaf.pem -key leaf.key -cert_chain intermediate.pem -alpn imap");
    let look = look(&authority, server.address);
    look.says("LF-TLS-015", Severity::Critical, "no_application_protocol");
    look.says("LF-TLS-028", Severity::Low, "HTTP/1.1 alone");
    // The hellos by hand offer ALPN in one of them only, so the versions are known all the same.
    assert!(look.version(TlsVersion::Tls13).is_offered(), "{look}");
}

#[test]
fn http2_alone_shuts_http1_out() {
    let authority = Authority::new();
    let leaf = authority.sign("leaf", &Leaf::default());
    let both = authority.joined("both.pem", &[&leaf.leaf, &authority.path("intermediate.pem"), &leaf.key]);
    let server = servers::haproxy(&authority, &both, "ssl-min-ver TLSv1.2 alpn h2");
    let look = look(&authority, server.address);
    let handshake = look.handshake().present().expect("a browser connects");
    assert_eq!(handshake.alpn.as_deref(), Some("h2"), "{look}");
    // OpenSSL's callback in HAProxy goes on without a protocol; then HTTP/1.1 is spoken by default.
    assert!(look.survey().resumption.present().is_none_or(|r| r.alpn.is_none()), "{look}");
}

#[test]
fn a_client_certificate_that_is_wanted_is_seen() {
    let authority = Authority::new();
    authority.sign("leaf", &Leaf::default());
    let server = servers::openssl(
        &authority,
        "-cert leaf.pem -key leaf.key -cert_chain intermediate.pem -Verify 1 -CAfile root.pem",
    );
    let look = look(&authority, server.address);
    assert!(look.survey().server_hello.as_ref().is_some_and(|shown| shown.certificate_asked), "{look}");
    // OpenSSL's security level in Debian leaves nothing for TLS 1.1 and below, to which it says alert 80 each time.
    assert_eq!(look.versions(), [TlsVersion::Tls12, TlsVersion::Tls13], "{look}");
    let ended = look.survey().resumption.denied();
    assert!(matches!(ended, Some(Denial::TlsAlert { code: 116, .. })), "{look}");
    look.lacks(&["LF-TLS-034", "LF-TLS-042"]);
}

#[test]
fn a_client_without_a_name_gets_what_the_server_has_for_nobody() {
    let authority = Authority::new();
    let leaf = authority.sign("leaf", &Leaf::default());
    let other = authority.sign("other", &Leaf { names: vec!["default.example.test"], ..Leaf::default() });
    let intermediate = authority.path("intermediate.pem");
    let right = authority.joined("right.pem", &[&leaf.leaf, &intermediate]);
    let wrong = authority.joined("wrong.pem", &[&other.leaf, &intermediate]);
    let with_default = |default: &str, name: &str| {
        servers::nginx_with(
            &authority,
            &format!(
                "ssl_protocols TLSv1.2 TLSv1.3;\n\
                 server {{ listen 127.0.0.1:@PORT@ ssl default_server; server_name _; {default} return 200 default; }}\n\
                 server {{ listen 127.0.0.1:@PORT@ ssl; server_name {name}; ssl_certificate {}; ssl_certificate_key {}; return 200 ok; }}",
                right.display(),
                leaf.key.display()
            ),
        )
    };
    let wrong_default =
        format!("ssl_certificate {}; ssl_certificate_key {};", wrong.display(), other.key.display());

    let server = with_default(&wrong_default, "api.example.test");
    let seen = look(&authority, server.address);
    seen.says("LF-TLS-029", Severity::Info, "a certificate for default.example.test");
    seen.lacks(&["LF-TLS-003"]);

    // nginx without a certificate for nobody refuses the handshake.
    let server = with_default("ssl_reject_handshake on;", "api.example.test");
    let seen = look(&authority, server.address);
    seen.says("LF-TLS-029", Severity::Info, "TLS alert 112 (unrecognized_name)");
    assert_eq!(seen.versions(), [TlsVersion::Tls12, TlsVersion::Tls13], "{seen}");

    // The host is not set up: it gets what nobody gets.
    let server = with_default(&wrong_default, "www.example.test");
    let seen = look(&authority, server.address);
    seen.says("LF-TLS-003", Severity::Critical, "default.example.test");
    seen.says("LF-TLS-029", Severity::Medium, "as any unknown name does");

    // And where the server refuses names that it does not know, nothing is taken for "not offered".
    let server = with_default("ssl_reject_handshake on;", "www.example.test");
    let seen = look(&authority, server.address);
    seen.says("LF-TLS-015", Severity::Critical, "unrecognized_name");
    assert!(matches!(seen.version(TlsVersion::Tls12), Standing::Open { .. }), "{seen}");
    assert!(matches!(seen.class(SuiteClass::Cbc), Standing::Open { .. }), "{seen}");
    seen.finding("LF-TLS-042");
    seen.lacks(&["LF-TLS-020"]);
}
