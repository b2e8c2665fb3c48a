//! Servers that misbehave on purpose. Each serves every connection with the same script, in a thread of its own, until
//! the test ends.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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

    /// Reads each request to the end of its headers, then lets `answer` write; a write error ends the connection.
    pub(crate) fn http(answer: impl Fn(&mut TcpStream, &str) -> std::io::Result<()> + Send + Sync + 'static) -> Self {
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
pub(crate) fn forever(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
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
