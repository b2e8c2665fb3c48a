//! Servers that misbehave on purpose. Each serves every connection with the same script, in a thread of its own, until
//! the test ends.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::pki::Identity;

/// A TLS stream of a hostile server.
pub(crate) type TlsStream = StreamOwned<ServerConnection, TcpStream>;

/// A listener with a script.
pub(crate) struct Hostile {
    pub(crate) address: SocketAddr,
    over: Arc<AtomicBool>,
}

impl Hostile {
    /// Serves each connection with `script`, which is given the stream before anything was read from it.
    pub(crate) fn serve(script: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let over = Arc::new(AtomicBool::new(false));
        let (script, ends) = (Arc::new(script), Arc::clone(&over));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::Relaxed) {
                    break;
                }
                let (Ok(stream), script) = (stream, Arc::clone(&script)) else { continue };
                std::thread::spawn(move || script(stream));
            }
        });
        Self { address, over }
    }

    /// Shakes hands with the given ALPN protocol alone, then lets `script` have the stream.
    pub(crate) fn tls(
        identity: &Identity,
        alpn: &str,
        script: impl Fn(&mut TlsStream) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows the usual versions")
            .with_no_client_auth()
            .with_single_cert(identity.der.clone(), PrivateKeyDer::Pkcs8(identity.key_der.clone_key()))
            .expect("the key belongs to the certificate");
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        let config = Arc::new(config);
        Self::serve(move |stream| {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("the configuration is whole");
            // An error is the client's end of the conversation, which is its right.
            let _ = script(&mut StreamOwned::new(connection, stream));
        })
    }

    /// Reads each request to the end of its headers, then lets `answer` write; a write error ends the connection.
    pub(crate) fn http(
        answer: impl Fn(&mut TcpStream, &str) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::serve(move |mut stream| {
            while let Some(request) = request(&mut stream) {
                if answer(&mut stream, &request).is_err() {
                    break;
                }
            }
        })
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the accept call, so that the thread sees that it is over.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
    }
}

/// One request head, at most 64 KiB; `None` when the client is gone.
fn request(stream: &mut TcpStream) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > 64 * 1024 || stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// Sends the same bytes until the client has had enough.
pub(crate) fn forever(stream: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    loop {
        stream.write_all(bytes)?;
    }
}

/// Sends one byte now and then, and never comes to an end.
pub(crate) fn drip(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    for byte in bytes.iter().cycle() {
        stream.write_all(&[*byte])?;
        // The pause is the fault itself.
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Ends the connection with a FIN.
pub(crate) fn close(stream: &TcpStream) -> std::io::Result<()> {
    stream.shutdown(Shutdown::Both)
}

/// HTTP/2 frame types and flags (RFC 9113, section 6).
pub(crate) const DATA: u8 = 0x0;
pub(crate) const HEADERS: u8 = 0x1;
pub(crate) const SETTINGS: u8 = 0x4;
pub(crate) const PING: u8 = 0x6;
pub(crate) const CONTINUATION: u8 = 0x9;
pub(crate) const END_HEADERS: u8 = 0x4;

/// One HTTP/2 frame (RFC 9113, section 4.1).
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a small payload").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Opens an HTTP/2 connection as a server does, and gives the stream id of the first request.
pub(crate) fn first_request(stream: &mut TlsStream) -> std::io::Result<u32> {
    stream.write_all(&frame(SETTINGS, 0, 0, &[]))?;
    // RFC 9113 section 3.4: the client begins with 24 fixed bytes.
    stream.read_exact(&mut [0; 24])?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload)?;
        if head[3] == HEADERS {
            return Ok(u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff);
        }
    }
}
