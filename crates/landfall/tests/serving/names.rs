//! A resolver that does what it is told.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

/// What it does with a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Mood {
    /// Says nothing.
    Silent = 0,
    /// The name does not exist.
    Nothing = 1,
    /// The address is 127.0.0.1.
    Loopback = 2,
}

/// The resolver. It ends with this value.
pub(crate) struct Resolver {
    pub(crate) address: SocketAddr,
    mood: Arc<AtomicU8>,
    asked: Arc<AtomicUsize>,
    life: Arc<()>,
}

impl Resolver {
    pub(crate) fn start(mood: Mood) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a deadline");
        let address = socket.local_addr().expect("bound");
        let (mood, asked, life) = (Arc::new(AtomicU8::new(mood as u8)), Arc::default(), Arc::new(()));
        let (told, count, alive) = (Arc::clone(&mood), Arc::clone(&asked), Arc::downgrade(&life));
        std::thread::spawn(move || {
            let mut question = [0; 1500];
            while alive.upgrade().is_some() {
                let Ok((length, from)) = socket.recv_from(&mut question) else { continue };
                let count: &AtomicUsize = &count;
                count.fetch_add(1, Ordering::Relaxed);
                let mood = told.load(Ordering::Relaxed);
                if mood != Mood::Silent as u8
                    && let Some(answer) = answer(&question[..length], mood == Mood::Loopback as u8)
                {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Self { address, mood, asked, life }
    }

    pub(crate) fn be(&self, mood: Mood) {
        self.mood.store(mood as u8, Ordering::Relaxed);
    }

    pub(crate) fn asked(&self) -> usize {
        debug_assert_eq!(Arc::strong_count(&self.life), 1);
        self.asked.load(Ordering::Relaxed)
    }
}

/// An answer (RFC 1035, section 4): the question again, and for an A question the address, or NXDOMAIN.
fn answer(question: &[u8], exists: bool) -> Option<Vec<u8>> {
    let mut end = 12;
    while *question.get(end)? != 0 {
        end += usize::from(question[end]) + 1;
    }
    end += 5;
    let kind = u16::from_be_bytes(question.get(end - 4..end - 2)?.try_into().ok()?);
    let is_a = exists && kind == 1;
    let mut answer = question[..2].to_vec();
    // A response, recursion desired and available; 3 is NXDOMAIN.
    answer.extend([0x81, if exists { 0x80 } else { 0x83 }, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
    answer.extend(&question[12..end]);
    if is_a {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    Some(answer)
}
