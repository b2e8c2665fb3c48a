//! E-mail, by SMTP (RFC 5321) over a connection that passed the guard.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, AsyncTokioStream, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message as Mail};
use maud::{DOCTYPE, Markup, html};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::{Channel, Dispatch, Outcome, Round, Sending, Sent};
use crate::Message;
use crate::config::{Email, SmtpSecurity, SmtpSettings};
use crate::outbound::{Outbound, words};
use crate::sheet::{Sheet, clean};

/// So much of a mail server's answers is read in one connection, TLS records included.
const ANSWERS_BYTE: usize = 256 * 1024;

/// A mail: headers, plain text and HTML.
pub(crate) fn composed(
    message: &Message,
    key: &str,
    from: &str,
    to: &[String],
    now: jiff::Timestamp,
) -> Result<Mail, String> {
    let from: Mailbox = from.parse().map_err(|e| format!("the sender cannot be understood: {e}"))?;
    let domain = from.email.domain().to_owned();
    let sheet = Sheet::of(message);
    let mut mail = Mail::builder()
        .from(from)
        .subject(subject(message))
        .date(
            SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(now.as_second()).unwrap_or_default()),
        )
        // The same in every attempt, so that a mail that came twice is shown once.
        .message_id(Some(format!("<{}@{domain}>", digest(key))));
    if let Some(incident) = &message.incident {
        // A common ancestor makes one thread of all mails of an incident (RFC 5322, section 3.6.4).
        let root = format!("<incident.{}@{domain}>", digest(&incident.id));
        mail = mail.in_reply_to(root.clone()).references(root);
    }
    for one in to {
        mail = mail.to(one.parse().map_err(|e| format!("a recipient cannot be understood: {e}"))?);
    }
    // No out-of-office answers to a machine (RFC 3834, section 5).
    for (name, value) in
        [("Auto-Submitted", "auto-generated".to_owned()), ("Landfall-Event", message.event.word().to_owned())]
    {
        let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|e| e.to_string())?;
        mail = mail.raw_header(HeaderValue::new(name, value));
    }
    let body = MultiPart::alternative_plain_html(sheet.text(), page(&sheet).into_string());
    mail.multipart(body).map_err(|e| format!("the mail cannot be written: {e}"))
}

fn subject(message: &Message) -> String {
    clean(&format!("[{}] {}", clean(&message.organisation, 60), clean(&message.headline, 200)), 250)
}

fn digest(text: &str) -> String {
    hex::encode(&Sha256::digest(text.as_bytes())[..16])
}

/// The HTML part. Mail readers strip style sheets, so what matters is in the markup itself.
pub(crate) fn page(sheet: &Sheet) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                meta name="color-scheme" content="light dark";
                title { (sheet.title) }
            }
            body style="font-family:system-ui,sans-serif;line-height:1.45;max-width:42em;margin:1em auto;padding:0 1em" {
                h1 style="font-size:1.25em" { (sheet.title) }
                @for section in &sheet.sections {
                    @if let Some(head) = section.head {
                        h2 style="font-size:1em;margin-bottom:.25em" { (head) }
                    }
                    @if let Some(lead) = &section.lead {
                        p style="margin:.25em 0" { (lead) }
                    }
                    @if section.numbered {
                        ol style="margin:.25em 0" { @for line in &section.lines { li { (line) } } }
                    } @else if !section.lines.is_empty() {
                        ul style="margin:.25em 0" { @for line in &section.lines { li { (line) } } }
                    }
                }
                @if let Some((words, url)) = &sheet.link {
                    p { a href=(url) { (words) } }
                }
                p style="font-size:.85em;opacity:.75" { (sheet.foot) }
            }
        }
    }
}

impl Channel for Email {
    fn send<'a>(&'a self, out: &'a Outbound, letter: &'a Dispatch<'a>) -> Sending<'a> {
        Box::pin(async move {
            match self.smtp.as_ref().or(out.settings.smtp.as_ref()) {
                Some(server) => mail_server(server, out, letter, &self.to).await,
                // Somebody will set one: the letter is not lost meanwhile.
                None => Sent::unheard("no mail server is set: give the channel one, or ask the operator"),
            }
        })
    }
}

/// Sends to each recipient by a mail server.
pub(crate) async fn mail_server(
    server: &SmtpSettings,
    out: &Outbound,
    letter: &Dispatch<'_>,
    to: &[String],
) -> Sent {
    let mail = match composed(letter.message, letter.key, &server.from, to, letter.now) {
        Ok(mail) => mail,
        Err(say) => return Sent::refused(say),
    };
    let bytes = mail.formatted();
    let mut open: Option<AsyncSmtpConnection> = None;
    let mut round = Round::new(to, letter);
    while let Some(one) = round.next() {
        let exchange = async {
            let mut connection = match open.take().filter(|c| !c.has_broken()) {
                Some(connection) => connection,
                None => connected(server, out).await?,
            };
            let recipient: Address =
                one.parse().map_err(|_| Failed::Final(None, "no mail address".into()))?;
            let from = mail.envelope().from().cloned();
            let envelope = lettre::address::Envelope::new(from, vec![recipient])
                .map_err(|e| Failed::Final(None, e.to_string()))?;
            let response = connection.send(&envelope, &bytes).await.map_err(|e| failed(&e, None))?;
            let code = u16::from(response.code());
            let said = response.first_line().unwrap_or_default().to_owned();
            open = Some(connection);
            Ok::<_, Failed>((code, said))
        };
        let sent = match tokio::time::timeout(out.deadline(), exchange).await {
            Ok(Ok((code, said))) => {
                Sent::new(Outcome::Delivered, Some(code), clean(&format!("SMTP {code}: {said}"), 300))
            }
            Ok(Err(Failed::Later(code, say))) => Sent::new(Outcome::Retry(None), code, say),
            Ok(Err(Failed::Final(code, say))) => Sent::new(Outcome::Refused, code, say),
            Err(_) => {
                Sent::unheard(format!("the mail server did not answer within {} s", out.deadline().as_secs()))
            }
        };
        round.note(one, sent);
    }
    if let Some(mut connection) = open {
        // Politeness only: the mail has been accepted.
        let _ = tokio::time::timeout(Duration::from_secs(1), connection.quit()).await;
    }
    round.sum()
}

enum Failed {
    Later(Option<u16>, String),
    Final(Option<u16>, String),
}

/// 4yz may work later, 5yz will not (RFC 5321, section 4.2.1). A refused sign-in is 535 (RFC 4954, section 6): somebody
/// has to mend the password, so it is final as well.
fn failed(error: &lettre::transport::smtp::Error, doing: Option<&str>) -> Failed {
    let code = error.status().map(u16::from);
    let text = words(error);
    let say = match doing {
        Some(doing) => format!("{doing}: {text}"),
        None => text,
    };
    if error.is_permanent() { Failed::Final(code, say) } else { Failed::Later(code, say) }
}

async fn connected(server: &SmtpSettings, out: &Outbound) -> Result<AsyncSmtpConnection, Failed> {
    let later = |say: String| Failed::Later(None, say);
    let addresses = out.addresses(&server.host, server.port()).await.map_err(later)?;
    let mut tried = None;
    let mut stream = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(connected) => {
                stream = Some((connected, address));
                break;
            }
            Err(error) => tried = Some(error),
        }
    }
    let Some((stream, address)) = stream else {
        let error = tried.map_or_else(|| "it has no address".to_owned(), |e| e.to_string());
        return Err(later(format!("the mail server cannot be reached: {error}")));
    };
    // The name that certificates and look-ups are for; a mail server of ours introduces itself by its sender's domain.
    let hello = match server.from.parse::<Mailbox>() {
        Ok(from) => ClientId::Domain(from.email.domain().to_owned()),
        Err(_) => ClientId::default(),
    };
    let host = server.host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let smtp = |doing: &'static str| move |e: lettre::transport::smtp::Error| failed(&e, Some(doing));
    let mut connection = match server.security {
        SmtpSecurity::Tls => {
            let name = rustls_pki_types::ServerName::try_from(host.clone())
                .map_err(|_| Failed::Final(None, "the mail server's name is no name for TLS".into()))?;
            let tls = tokio_rustls::TlsConnector::from(Arc::clone(&out.tls)).connect(name, stream).await;
            let tls = tls.map_err(|e| later(format!("no TLS with the mail server: {e}")))?;
            let stream = Box::new(Bounded { stream: tls, address, left: ANSWERS_BYTE });
            AsyncSmtpConnection::connect_with_transport(stream, &hello).await.map_err(smtp("greeting"))?
        }
        SmtpSecurity::Starttls | SmtpSecurity::None => {
            let stream = Box::new(Bounded { stream, address, left: ANSWERS_BYTE });
            AsyncSmtpConnection::connect_with_transport(stream, &hello).await.map_err(smtp("greeting"))?
        }
    };
    if server.security == SmtpSecurity::Starttls {
        if !connection.can_starttls() {
            // Somebody in between may have taken it out of the answer; going on in the clear is what they want.
            let say = "the mail server offers no STARTTLS, and without it nothing is sent";
            return Err(Failed::Later(None, say.into()));
        }
        let mut tls = TlsParameters::builder(host).certificate_store(CertificateStore::WebpkiRoots);
        for root in rustls_native_certs::load_native_certs().certs.iter().chain(&out.settings.extra_roots) {
            if let Ok(certificate) = Certificate::from_der(root.to_vec()) {
                tls = tls.add_root_certificate(certificate);
            }
        }
        let tls = tls.build_rustls().map_err(smtp("STARTTLS"))?;
        connection.starttls(tls, &hello).await.map_err(smtp("STARTTLS"))?;
    }
    if let (Some(user), Some(password)) = (&server.username, &server.password) {
        let credentials = Credentials::new(user.clone(), password.reveal().to_owned());
        connection
            .auth(&[Mechanism::Plain, Mechanism::Login], &credentials)
            .await
            .map_err(smtp("signing in to the mail server"))?;
    }
    Ok(connection)
}

/// A connection of which only so much is read, whatever the peer sends.
#[derive(Debug)]
struct Bounded<S> {
    stream: S,
    address: SocketAddr,
    left: usize,
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let read = buf.filled().len() - before;
        match self.left.checked_sub(read) {
            Some(left) => {
                self.left = left;
                Poll::Ready(Ok(()))
            }
            None => Poll::Ready(Err(io::Error::other("the mail server says too much"))),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug> AsyncTokioStream for Bounded<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
