//! The probe against TLS servers on loopback, with chains made for each fault.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use landfall_evidence::{
    Denial, Observation, Observed, Phase, ProbeFault, Seen, Silence, TlsHandshake, TrustRefusal, TrustResult,
    Vantage,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::{Roots, handshake};
use crate::net::{Context, test_context};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn key() -> KeyPair {
    KeyPair::generate().expect("key")
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn root(name: &str) -> Authority {
    CertifiedIssuer::self_signed(authority_params(name), key()).expect("signed")
}

fn intermediate(name: &str, by: &Authority) -> Authority {
    CertifiedIssuer::signed_by(authority_params(name), key(), by).expect("signed")
}

fn leaf_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("valid name");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// A server's chain, leaf first, and the leaf's key.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

impl Identity {
    fn new(params: &CertificateParams, by: &Authority, rest: &[&CertificateDer<'static>]) -> Self {
        let key = key();
        let leaf = params.signed_by(&key, by).expect("signed");
        let chain = std::iter::once(leaf.der()).chain(rest.iter().copied()).cloned().collect();
        Self { chain, key }
    }

    fn config(&self, versions: &[&'static rustls::SupportedProtocolVersion]) -> ServerConfig {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        builder(versions).with_no_client_auth().with_single_cert(self.chain.clone(), key).expect("key fits")
    }
}

fn builder(
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).expect("supported")
}

async fn serve_with(config: ServerConfig) -> SocketAddr {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    serve(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.read(&mut [0; 1]).await;
            }
        }
    })
    .await
}

async fn serve<F: Future<Output = ()> + Send>(
    answer: impl Fn(TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            answer(stream).await;
        }
    });
    address
}

/// A context that trusts one root, as a `--ca-file`.
fn trusting(anchor: &Authority) -> Context {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path: PathBuf = folder.path().join("root.pem");
    std::fs::write(&path, anchor.pem()).expect("writable");
    let mut ctx = test_context();
    ctx.roots = Arc::new(Roots::load(&[path]).expect("a good file"));
    ctx
}

async fn ask(ctx: &Context, host: &str, address: SocketAddr) -> Observation {
    handshake(ctx, host, address, Vantage::Edge, None).await
}

fn answer(observation: &Observation) -> &Observed<TlsHandshake> {
    match &observation.seen {
        Seen::Tls(tls) => &tls.answer,
        other => panic!("{other:?}"),
    }
}

fn shown(observation: &Observation) -> &TlsHandshake {
    answer(observation).present().unwrap_or_else(|| panic!("{observation:?}"))
}

/// The verdict of the `--ca-file`.
fn given_store(handshake: &TlsHandshake) -> &TrustResult {
    let path = handshake.trust.iter().find(|path| path.store == "--ca-file root.pem");
    &path.expect("the store was asked").result
}

fn refusal(result: &TrustResult) -> TrustRefusal {
    match result {
        TrustResult::Refused { reason, .. } => *reason,
        trusted => panic!("{trusted:?}"),
    }
}

/// The refusal that a chain meets in a store that holds its root.
async fn refusal_of(identity: &Identity, anchor: &Authority) -> TrustRefusal {
    let address = serve_with(identity.config(rustls::ALL_VERSIONS)).await;
    let observation = ask(&trusting(anchor), "api.example.test", address).await;
    refusal(given_store(shown(&observation)))
}

#[tokio::test]
async fn a_good_chain_is_shown_whole_and_trusted_by_the_store_that_holds_its_root() {
    let root = root("Lab Root");
    let issuer = intermediate("Lab Issuer", &root);
    let identity = Identity::new(&leaf_params("api.example.test"), &issuer, &[issuer.der()]);
    let mut config = identity.config(rustls::ALL_VERSIONS);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let address = serve_with(config).await;
    let observation = ask(&trusting(&root), "api.example.test", address).await;
    let handshake = shown(&observation);
    assert_eq!(observation.id.0, format!("tls/edge/{address}"));
    assert_eq!(observation.round_trips, 2);
    assert_eq!(
        observation.by_hand,
        format!(
            "openssl s_client -connect {address} -servername api.example.test -alpn h2,http/1.1 -showcerts </dev/null"
        )
    );
    assert_eq!(handshake.version, "TLSv1.3");
    assert!(handshake.cipher_suite.starts_with("TLS_"), "{}", handshake.cipher_suite);
    assert!(!handshake.cipher_suite.contains("TLS13"), "{}", handshake.cipher_suite);
    assert_eq!(handshake.group.as_deref(), Some("X25519MLKEM768"));
    assert_eq!(handshake.alpn.as_deref(), Some("h2"));
    assert_eq!(
        handshake.chain.iter().map(|c| c.subject.as_str()).collect::<Vec<_>>(),
        ["CN=api.example.test", "CN=Lab Issuer"]
    );
    assert!(handshake.unparsed.is_empty());
    assert!(handshake.name_matches);
    let path = ["CN=api.example.test", "CN=Lab Issuer", "CN=Lab Root"].map(str::to_owned).into();
    assert_eq!(given_store(handshake), &TrustResult::Trusted { path });
    // The bundled store does not know this root: the issuer was sent, so the chain is not incomplete.
    assert!(handshake.trust[0].store.starts_with("webpki-roots "));
    assert_eq!(refusal(&handshake.trust[0].result), TrustRefusal::UnknownIssuer);
}

#[tokio::test]
async fn tls_1_2_takes_a_round_trip_more() {
    let root = root("Lab Root");
    let identity = Identity::new(&leaf_params("api.example.test"), &root, &[]);
    let address = serve_with(identity.config(&[&rustls::version::TLS12])).await;
    let observation = ask(&trusting(&root), "api.example.test", address).await;
    assert_eq!(shown(&observation).version, "TLSv1.2");
    assert!(shown(&observation).cipher_suite.starts_with("TLS_ECDHE_ECDSA_"));
    assert_eq!(observation.round_trips, 3);
}

#[tokio::test]
async fn a_missing_intermediate_is_an_incomplete_chain() {
    let root = root("Lab Root");
    let issuer = intermediate("Lab Issuer", &root);
    let identity = Identity::new(&leaf_params("api.example.test"), &issuer, &[]);
    assert_eq!(refusal_of(&identity, &root).await, TrustRefusal::IncompleteChain);
}

#[tokio::test]
async fn validity_is_judged_at_the_time_of_the_audit() {
    let root = root("Lab Root");
    let mut past = leaf_params("api.example.test");
    past.not_before = rcgen::date_time_ymd(2020, 1, 1);
    past.not_after = rcgen::date_time_ymd(2020, 4, 1);
    assert_eq!(refusal_of(&Identity::new(&past, &root, &[]), &root).await, TrustRefusal::Expired);
    let mut future = leaf_params("api.example.test");
    future.not_before = rcgen::date_time_ymd(2999, 1, 1);
    future.not_after = rcgen::date_time_ymd(2999, 4, 1);
    assert_eq!(refusal_of(&Identity::new(&future, &root, &[]), &root).await, TrustRefusal::NotYetValid);
}

#[tokio::test]
async fn a_leaf_that_signed_itself_is_self_signed_whether_or_not_it_says_that_it_is_an_authority() {
    let root = root("Lab Root");
    for is_ca in [IsCa::NoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
        let mut params = leaf_params("api.example.test");
        params.is_ca = is_ca;
        let key = key();
        let chain = vec![params.self_signed(&key).expect("signed").der().clone()];
        assert_eq!(refusal_of(&Identity { chain, key }, &root).await, TrustRefusal::SelfSigned);
    }
}

#[tokio::test]
async fn the_name_is_judged_apart_from_the_trust() {
    let root = root("Lab Root");
    let address =
        serve_with(Identity::new(&leaf_params("*.example.test"), &root, &[]).config(rustls::ALL_VERSIONS))
            .await;
    let ctx = trusting(&root);
    for (host, matches) in
        [("api.example.test", true), ("v1.api.example.test", false), ("example.test", false)]
    {
        let observation = ask(&ctx, host, address).await;
        assert_eq!(shown(&observation).name_matches, matches, "{host}");
        assert!(matches!(given_store(shown(&observation)), TrustResult::Trusted { .. }), "{host}");
    }
}

#[tokio::test]
async fn an_address_is_matched_and_sent_without_a_server_name() {
    let root = root("Lab Root");
    let address =
        serve_with(Identity::new(&leaf_params("127.0.0.1"), &root, &[]).config(rustls::ALL_VERSIONS)).await;
    let observation = ask(&trusting(&root), "127.0.0.1", address).await;
    assert!(shown(&observation).name_matches);
    assert!(observation.by_hand.contains(" -noservername "));
}

/// The levqor shape: leaf, intermediate, and the newer root as an older root signed it.
#[tokio::test]
async fn a_cross_signed_root_is_trusted_through_either_root() {
    let old = root("Old Root");
    let new = CertifiedIssuer::self_signed(authority_params("New Root"), key()).expect("signed");
    let crossed = authority_params("New Root").signed_by(new.key(), &old).expect("signed");
    let issuer = intermediate("Issuer", &new);
    let identity = Identity::new(&leaf_params("api.example.test"), &issuer, &[issuer.der(), crossed.der()]);
    let address = serve_with(identity.config(rustls::ALL_VERSIONS)).await;
    for (anchor, expected) in [
        (&new, vec!["CN=api.example.test", "CN=Issuer", "CN=New Root"]),
        (&old, vec!["CN=api.example.test", "CN=Issuer", "CN=New Root", "CN=Old Root"]),
    ] {
        let observation = ask(&trusting(anchor), "api.example.test", address).await;
        let path = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(given_store(shown(&observation)), &TrustResult::Trusted { path });
    }
}

#[tokio::test]
async fn a_certificate_that_cannot_be_parsed_does_not_hide_the_others() {
    let root = root("Lab Root");
    let mut identity = Identity::new(&leaf_params("api.example.test"), &root, &[root.der()]);
    identity.chain.insert(1, CertificateDer::from(b"no certificate".to_vec()));
    let address = serve_with(identity.config(rustls::ALL_VERSIONS)).await;
    let observation = ask(&trusting(&root), "api.example.test", address).await;
    let handshake = shown(&observation);
    assert_eq!(handshake.chain.len(), 2);
    assert_eq!(handshake.unparsed.len(), 1);
    assert!(handshake.unparsed[0].starts_with("certificate 2 of 14 bytes: "), "{:?}", handshake.unparsed);
    assert!(matches!(given_store(handshake), TrustResult::Trusted { .. }));
}

#[tokio::test]
async fn a_chain_of_any_length_is_bounded() {
    let root = root("Lab Root");
    let rest = vec![root.der(); 40];
    let identity = Identity::new(&leaf_params("api.example.test"), &root, &rest);
    let address = serve_with(identity.config(rustls::ALL_VERSIONS)).await;
    let observation = ask(&trusting(&root), "api.example.test", address).await;
    assert_eq!(shown(&observation).chain.len(), super::session::CHAIN_LENGTH);
}

#[tokio::test]
async fn a_peer_without_the_leafs_key_shows_nothing() {
    let root = root("Lab Root");
    let (identity, other) = (
        Identity::new(&leaf_params("api.example.test"), &root, &[]),
        Identity::new(&leaf_params("api.example.test"), &root, &[]),
    );
    // A resolver is the way to hand out a chain with another key: the usual constructor checks that they fit.
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(other.key.serialize_der()));
    let signer = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).expect("a usual key");
    let stolen =
        rustls::sign::SingleCertAndKey::from(rustls::sign::CertifiedKey::new(identity.chain.clone(), signer));
    let config = builder(rustls::ALL_VERSIONS).with_no_client_auth().with_cert_resolver(Arc::new(stolen));
    let address = serve_with(config).await;
    let observation = ask(&trusting(&root), "api.example.test", address).await;
    let seen = answer(&observation);
    assert!(matches!(seen, Observed::Denied(Denial::Malformed { phase: Phase::Tls, .. })), "{seen:?}");
}

#[tokio::test]
async fn alerts_carry_their_number_and_name() {
    let root = root("Lab Root");
    let identity = Identity::new(&leaf_params("api.example.test"), &root, &[]);
    let mut no_common_alpn = identity.config(rustls::ALL_VERSIONS);
    no_common_alpn.alpn_protocols = vec![b"imap".to_vec()];

    let mut store = rustls::RootCertStore::empty();
    store.add(root.der().clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let clients =
        WebPkiClientVerifier::builder_with_provider(store.into(), provider).build().expect("a root is there");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key.serialize_der()));
    // TLS 1.2, where a missing client certificate ends the handshake itself; in TLS 1.3 the alert comes after it.
    let client_certificate = builder(&[&rustls::version::TLS12])
        .with_client_cert_verifier(clients)
        .with_single_cert(identity.chain.clone(), key)
        .expect("key fits");

    for (config, code, name) in
        [(no_common_alpn, 120, "no_application_protocol"), (client_certificate, 116, "certificate_required")]
    {
        let address = serve_with(config).await;
        let observation = ask(&trusting(&root), "api.example.test", address).await;
        let expected = Denial::TlsAlert { code, name: name.to_owned() };
        assert_eq!(answer(&observation), &Observed::Denied(expected));
        assert_eq!(observation.round_trips, 2);
    }
}

#[tokio::test]
async fn other_protocols_are_recognised_by_their_first_bytes() {
    for (banner, expected) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "HTTP/1.1 400 Bad Request\\r\\n\\r\\n"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "SSH-2.0-OpenSSH_9.9\\r\\n"),
        // Too short to be a record, and then closed.
        (b"no", "no"),
    ] {
        let address = serve(move |mut stream| async move {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(banner).await;
            let _ = stream.shutdown().await;
        })
        .await;
        let observation = ask(&test_context(), "api.example.test", address).await;
        let expected = Denial::NotTls { first_bytes: expected.to_owned() };
        assert_eq!(answer(&observation), &Observed::Denied(expected));
    }
}

#[tokio::test]
async fn the_first_bytes_are_bounded() {
    let address = serve(|mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(&[b'x'; 50_000]).await;
    })
    .await;
    let observation = ask(&test_context(), "api.example.test", address).await;
    assert_eq!(answer(&observation), &Observed::Denied(Denial::NotTls { first_bytes: "x".repeat(64) }));
}

#[tokio::test]
async fn a_peer_that_closes_or_refuses_is_told_apart() {
    let address = serve(|mut stream| async move {
        // The hello is read whole first, because closing with bytes unread would reset the connection.
        let _ = stream.read(&mut [0; 4096]).await;
    })
    .await;
    let observation = ask(&test_context(), "api.example.test", address).await;
    assert_eq!(answer(&observation), &Observed::Denied(Denial::Closed { phase: Phase::Tls }));

    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let observation = ask(&test_context(), "api.example.test", address).await;
    assert_eq!(answer(&observation), &Observed::Denied(Denial::Refused));
    assert_eq!(observation.round_trips, 1);
}

#[tokio::test]
async fn a_peer_that_resets_is_a_reset() {
    let address = serve(|mut stream| async move {
        let _ = stream.read(&mut [0; 1]).await;
        socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).expect("a socket");
    })
    .await;
    let observation = ask(&test_context(), "api.example.test", address).await;
    assert_eq!(answer(&observation), &Observed::Denied(Denial::Reset { phase: Phase::Tls }));
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_silent_in_tls() {
    let address = serve(|mut stream| async move {
        while stream.read(&mut [0; 4096]).await.is_ok_and(|length| length > 0) {}
    })
    .await;
    let mut ctx = test_context();
    let tls = std::time::Duration::from_millis(100);
    ctx.limits = Arc::new(crate::net::Limits { tls, ..crate::net::Limits::default() });
    let observation = ask(&ctx, "api.example.test", address).await;
    let silence = Silence { phase: Phase::Tls, waited_us: crate::connect::micros(tls) };
    assert_eq!(answer(&observation), &Observed::Silent(silence));
    assert_eq!(observation.round_trips, 1);
}

#[tokio::test]
async fn a_host_that_cannot_be_a_server_name_is_a_fault_of_the_question() {
    let observation = ask(&test_context(), "bad host", ([127, 0, 0, 1], 9).into()).await;
    assert!(matches!(answer(&observation), Observed::Unasked(ProbeFault::Local { .. })));
    assert_eq!(observation.round_trips, 0);
}

// ------------------------------------------------------------------------------------------------------ hostile servers

/// Hands everything on, what the server says one byte at a time.
async fn byte_by_byte(to: SocketAddr) -> SocketAddr {
    serve(move |mut client| async move {
        let Ok(mut server) = TcpStream::connect(to).await else { return };
        let _ = client.set_nodelay(true);
        let (mut from_server, mut to_server) = server.split();
        let (mut from_client, mut to_client) = client.split();
        let up = tokio::io::copy(&mut from_client, &mut to_server);
        let down = async {
            let mut byte = [0; 1];
            while from_server.read(&mut byte).await.is_ok_and(|count| count == 1) {
                if to_client.write_all(&byte).await.is_err() || to_client.flush().await.is_err() {
                    return;
                }
            }
        };
        tokio::select! { _ = up => {}, () = down => {} }
    })
    .await
}

#[tokio::test]
async fn records_split_at_every_byte_are_put_together() {
    let root = root("Lab Root");
    let issuer = intermediate("Lab Issuer", &root);
    let identity = Identity::new(&leaf_params("api.example.test"), &issuer, &[issuer.der()]);
    for versions in [&[&rustls::version::TLS12][..], &[&rustls::version::TLS13]] {
        let mut config = identity.config(versions);
        // The smallest records that the library makes, so that messages are cut as well.
        config.max_fragment_size = Some(32 + 5);
        let address = byte_by_byte(serve_with(config).await).await;
        let observation = ask(&trusting(&root), "api.example.test", address).await;
        assert_eq!(shown(&observation).chain.len(), 2);
        assert_eq!(shown(&observation).chain_count, Some(2));
    }
}

#[tokio::test]
async fn a_certificate_of_a_megabyte_and_a_chain_of_500_end_at_the_bound() {
    let root = root("Lab Root");
    let megabyte = CertificateDer::from(vec![0x30; 1 << 20]);
    let rests: [Vec<&CertificateDer<'static>>; 2] = [vec![&megabyte], vec![root.der(); 499]];
    for rest in rests {
        let identity = Identity::new(&leaf_params("api.example.test"), &root, &rest);
        for versions in [&[&rustls::version::TLS12][..], &[&rustls::version::TLS13]] {
            let address = serve_with(identity.config(versions)).await;
            let began = std::time::Instant::now();
            let observation = ask(&trusting(&root), "api.example.test", address).await;
            let expected = Denial::TooLarge { what: "handshake message".into(), limit: 65_535 };
            assert_eq!(answer(&observation), &Observed::Denied(expected), "{} certificates", rest.len() + 1);
            assert!(began.elapsed() < crate::net::Limits::default().tls * 2);
        }
    }
}

#[tokio::test]
async fn a_chain_of_a_hundred_is_counted_and_cut() {
    let root = root("Lab Root");
    let identity = Identity::new(&leaf_params("api.example.test"), &root, &vec![root.der(); 99]);
    let address = serve_with(identity.config(rustls::ALL_VERSIONS)).await;
    let observation = ask(&trusting(&root), "api.example.test", address).await;
    let handshake = shown(&observation);
    assert_eq!((handshake.chain.len(), handshake.chain_count), (super::session::CHAIN_LENGTH, Some(100)));
    assert!(handshake.chain_byte.is_some_and(|size| size > 10_000), "{:?}", handshake.chain_byte);
}

#[tokio::test]
async fn handshake_fragments_that_never_end_are_a_silence() {
    // A record of 4 KiB of which a hundred bytes come; a ServerHello of which the head comes.
    for bytes in [[&[0x16, 3, 3, 0x10, 0][..], &[2; 100]].concat(), vec![0x16, 3, 3, 0, 4, 2, 0, 0, 90]] {
        let address = serve(move |mut stream| {
            let bytes = bytes.clone();
            async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(&bytes).await;
                while stream.read(&mut [0; 4096]).await.is_ok_and(|length| length > 0) {}
            }
        })
        .await;
        let mut ctx = test_context();
        let tls = std::time::Duration::from_millis(200);
        ctx.limits = Arc::new(crate::net::Limits { tls, ..crate::net::Limits::default() });
        let observation = ask(&ctx, "api.example.test", address).await;
        assert!(matches!(answer(&observation), Observed::Silent(_)), "{observation:?}");
    }
}
