//! A wire to a server that can go dead: connections stay, and not a byte comes through.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The wire. It ends with the test's runtime.
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    alive: watch::Sender<bool>,
}

impl Wire {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        let (alive, seen) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let seen = seen.clone();
                tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                    let ((near_read, near_write), (far_read, far_write)) =
                        (near.into_split(), far.into_split());
                    tokio::spawn(carry(near_read, far_write, seen.clone()));
                    carry(far_read, near_write, seen).await;
                });
            }
        });
        Self { address, alive }
    }

    /// From now on nothing comes through, in either direction.
    pub(crate) fn cut(&self) {
        self.alive.send_replace(false);
    }

    /// What waited comes through, and everything after it.
    pub(crate) fn mend(&self) {
        self.alive.send_replace(true);
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut alive: watch::Receiver<bool>) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(n @ 1..) = from.read(&mut bytes).await {
        if alive.wait_for(|alive| *alive).await.is_err() || to.write_all(&bytes[..n]).await.is_err() {
            return;
        }
    }
}
