//! The chain as it is sent.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use landfall_lab::{Access, Chain};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::clients::{EDGE, HOST, client_config, led, up, without_local};

async fn chain(access: &Access, public: &str, host: &str) -> std::io::Result<Vec<CertificateDer<'static>>> {
    let connector = TlsConnector::from(Arc::new(client_config(access, &[b"h2"])));
    let stream = TcpStream::connect(led(access, public, 443)).await?;
    let stream = connector.connect(ServerName::try_from(host.to_owned()).expect("a name"), stream).await?;
    Ok(stream
        .get_ref()
        .1
        .peer_certificates()
        .expect("a chain")
        .iter()
        .map(|c| c.clone().into_owned())
        .collect())
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> X509Certificate<'a> {
    X509Certificate::from_der(der).expect("a certificate").1
}

#[tokio::test]
async fn the_chain_is_that_of_the_report() {
    let lab = up(&without_local("levqor-undeployed")).await;
    // The handshake succeeds although the cross-signed root leads on to an anchor that the client does not have.
    let sent = chain(lab.access(), EDGE, HOST).await.expect("trusted");
    assert_eq!(sent.len(), 3);
    let [leaf, intermediate, root] = [parse(&sent[0]), parse(&sent[1]), parse(&sent[2])];
    assert_eq!(leaf.subject().to_string(), "CN=levqor.ai");
    assert_eq!(leaf.issuer().to_string(), "C=US, O=Google Trust Services, CN=WE1");
    assert_eq!(intermediate.issuer().to_string(), "C=US, O=Google Trust Services LLC, CN=GTS Root R4");
    assert_eq!(root.subject(), intermediate.issuer());
    assert_eq!(root.issuer().to_string(), "C=BE, O=GlobalSign nv-sa, OU=Root CA, CN=GlobalSign Root CA");
    assert_eq!(leaf.signature_algorithm.algorithm.to_id_string(), "1.2.840.10045.4.3.2", "ecdsa-with-SHA256");
    let names = leaf.subject_alternative_name().expect("valid").expect("present");
    let names: Vec<String> = names.value.general_names.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["DNSName(levqor.ai)", "DNSName(*.levqor.ai)"]);
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs())
        .expect("fits");
    let (from, until) = (leaf.validity().not_before.timestamp(), leaf.validity().not_after.timestamp());
    assert_eq!((until - from) / 86_400, 90);
    assert_eq!((until - now) / 86_400, 80);
    assert!(leaf.public_key().parsed().is_ok_and(|key| key.key_size() == 256));

    let platform = chain(lab.access(), "34.111.179.208", "levqor-backend.replit.app").await.expect("trusted");
    assert_eq!(parse(&platform[0]).subject().to_string(), "CN=*.replit.app");
    lab.down().await;
}

#[tokio::test]
async fn a_missing_intermediate_and_an_expired_leaf_are_refused_by_a_client() {
    for (problem, word) in [("missing", "UnknownIssuer"), ("expired", "Expired")] {
        let mut scenario = without_local("levqor-undeployed");
        let certificate = scenario.world.certificate.get_mut("edge").expect("it has one");
        match problem {
            "missing" => certificate.chain = Chain::LeafOnly,
            _ => (certificate.age_days, certificate.left_days) = (91, -1),
        }
        let lab = up(&scenario).await;
        let error = chain(lab.access(), EDGE, HOST).await.expect_err(problem);
        assert!(format!("{error:?}").contains(word), "{error:?}");
        lab.down().await;
    }
}
