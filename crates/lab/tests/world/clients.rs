//! Clients that follow a world's address map, as a prober does: hyper over TLS, h3 over QUIC, and plain sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use http::{HeaderMap, Request, Version};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use landfall_lab::{Access, Lab, LabOptions, Scenario, load};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The host of every world.
pub(crate) const HOST: &str = "api.levqor.ai";
/// One of its addresses.
pub(crate) const EDGE: &str = "104.21.14.105";

/// A scenario as it is, but without the backend on this machine where it is not what a test is about.
pub(crate) fn without_local(name: &str) -> Scenario {
    let mut scenario = load(name).expect("the scenario exists");
    scenario.world.local.running = false;
    scenario
}

pub(crate) async fn up(scenario: &Scenario) -> Lab {
    Lab::up(scenario, &LabOptions::default()).await.expect("the world comes up")
}

/// A whole response.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|v| v.to_str().expect("text")).unwrap_or("")
    }
}

/// Where the map leads packets to a public address.
pub(crate) fn led(access: &Access, public: &str, port: u16) -> SocketAddr {
    let prefix =
        if public.contains(':') { format!("[{public}]:{port}:") } else { format!("{public}:{port}:") };
    let entry = access.connect_to.iter().find_map(|e| e.strip_prefix(&prefix));
    entry
        .unwrap_or_else(|| panic!("{prefix} is not in {:?}", access.connect_to))
        .parse()
        .expect("an address and a port")
}

/// A client configuration that trusts the lab's anchor and nothing else.
pub(crate) fn client_config(access: &Access, alpn: &[&[u8]]) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&access.ca_file).expect("a certificate")).expect("an anchor");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = builder.expect("versions").with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    config
}

/// One request to a public address over the version given.
pub(crate) async fn get(access: &Access, public: &str, version: Version, host: &str, path: &str) -> Answer {
    request(access, public, version, "GET", host, path).await
}

pub(crate) async fn request(
    access: &Access,
    public: &str,
    version: Version,
    method: &str,
    host: &str,
    path: &str,
) -> Answer {
    let to = led(access, public, 443);
    if version == Version::HTTP_3 {
        return over_quic(access, to, method, host, path).await;
    }
    let alpn: &[u8] = if version == Version::HTTP_2 { b"h2" } else { b"http/1.1" };
    let connector = TlsConnector::from(Arc::new(client_config(access, &[alpn])));
    let stream = TcpStream::connect(to).await.expect("connects");
    let name = ServerName::try_from(host.to_owned()).expect("a name");
    let io = TokioIo::new(connector.connect(name, stream).await.expect("the handshake succeeds"));
    let request = Request::builder().method(method);
    let response = if version == Version::HTTP_2 {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.expect("h2");
        tokio::spawn(connection);
        let request =
            request.uri(format!("https://{host}{path}")).body(Empty::<Bytes>::new()).expect("valid");
        sender.send_request(request).await.expect("an answer")
    } else {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.expect("h1");
        tokio::spawn(connection);
        let request = request.uri(path).header("host", host).body(Empty::<Bytes>::new()).expect("valid");
        sender.send_request(request).await.expect("an answer")
    };
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    assert_eq!(head.version, version);
    Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).expect("text"),
    }
}

async fn over_quic(access: &Access, to: SocketAddr, method: &str, host: &str, path: &str) -> Answer {
    let any: IpAddr = if to.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    let mut endpoint = quinn::Endpoint::client((any, 0).into()).expect("a socket");
    let crypto =
        quinn::crypto::rustls::QuicClientConfig::try_from(client_config(access, &[b"h3"])).expect("TLS 1.3");
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(crypto)));
    let connection = endpoint.connect(to, host).expect("starts").await.expect("the handshake succeeds");
    let (mut driver, mut sender) = h3::client::new(h3_quinn::Connection::new(connection)).await.expect("h3");
    let driver = tokio::spawn(async move { std::future::poll_fn(|cx| driver.poll_close(cx)).await });
    let request =
        Request::builder().method(method).uri(format!("https://{host}{path}")).body(()).expect("valid");
    let mut stream = sender.send_request(request).await.expect("sent");
    stream.finish().await.expect("finished");
    let response = stream.recv_response().await.expect("an answer");
    let mut body = Vec::new();
    while let Some(mut part) = stream.recv_data().await.expect("data") {
        body.extend_from_slice(&part.copy_to_bytes(part.remaining()));
    }
    drop(sender);
    driver.abort();
    endpoint.wait_idle().await;
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: String::from_utf8(body).expect("text"),
    }
}

/// One request in the clear to an address on loopback.
pub(crate) async fn plain(to: SocketAddr, host: &str, path: &str) -> Answer {
    let stream = TcpStream::connect(to).await.expect("connects");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("h1");
    tokio::spawn(connection);
    let request = Request::get(path).header("host", host).body(Empty::<Bytes>::new()).expect("valid");
    let (head, body) = sender.send_request(request).await.expect("an answer").into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).expect("text"),
    }
}
