//! A real mail server of a test's own: Debian's Exim on loopback, with its own configuration and spool. It delivers into
//! a folder and reaches nobody.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Authority;

/// A mail server. It takes mail for `test.example`: `nobody` is refused with a 550, `grey` is put off with a 451 until
/// [`Self::lift_greylist`], everybody else has a mailbox. Who signs in is `user` with the password `right-password`.
pub struct Exim {
    /// The port for plain connections and STARTTLS.
    pub port: u16,
    /// The port for TLS from the first byte.
    pub tls_port: u16,
    folder: tempfile::TempDir,
    child: Child,
}

/// A mail that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Its head, as it arrived.
    pub head: String,
    /// Its body, as it arrived.
    pub body: String,
}

impl Mail {
    /// A header's value with its folded lines put together.
    pub fn header(&self, name: &str) -> Option<String> {
        let unfolded = self.head.replace("\n ", " ").replace("\n\t", " ");
        let prefix = format!("{}:", name.to_ascii_lowercase());
        let line = unfolded.lines().find(|l| l.to_ascii_lowercase().starts_with(&prefix))?;
        Some(line[prefix.len()..].trim().to_owned())
    }
}

impl Exim {
    /// Starts one. With `tls` it offers STARTTLS with a certificate for `localhost`, and asks for a sign-in before it
    /// takes mail. Panics, with the server's log, where Exim is missing or does not start.
    pub fn start(tls: Option<&Authority>) -> Self {
        let folder = tempfile::Builder::new().prefix("landfall-exim-").tempdir().expect("a temporary folder");
        let at = folder.path();
        let root = std::fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0);
        for name in ["spool", "log", "mail"] {
            std::fs::create_dir(at.join(name)).expect("a folder");
        }
        let (port, tls_port) = (landfall_ports::claimed(), landfall_ports::claimed());
        let mut config = CONFIG.replace("@FOLDER@", &at.display().to_string());
        let secured = match tls {
            Some(authority) => {
                let (_, _, chain, key) = authority.leaf(&["localhost"]);
                std::fs::write(at.join("chain.pem"), chain).expect("written");
                std::fs::write(at.join("key.pem"), key).expect("written");
                format!(
                    "tls_advertise_hosts = *\ntls_certificate = {0}/chain.pem\ntls_privatekey = {0}/key.pem\ntls_on_connect_ports = {tls_port}\nauth_advertise_hosts = ${{if def:tls_in_cipher {{*}}{{}}}}",
                    at.display()
                )
            }
            None => "tls_advertise_hosts =\nauth_advertise_hosts =".to_owned(),
        };
        config = config.replace("@TLS@", &secured);
        config = config.replace(
            "@AUTH@",
            if tls.is_some() { "deny !authenticated = *\n       message = 5.7.0 sign in first" } else { "" },
        );
        config = config
            .replace("@USER@", if root { "exim_user = Debian-exim\nexim_group = Debian-exim" } else { "" });
        config = config.replace("@AS@", if root { "user = Debian-exim\n  group = Debian-exim" } else { "" });
        std::fs::write(at.join("exim.conf"), config).expect("written");
        if root {
            // Exim gives its rights up, and its configuration must belong to nobody but root.
            run(Command::new("chmod").arg("755").arg(at));
            run(Command::new("chown")
                .arg("-R")
                .arg("Debian-exim")
                .args(["spool", "log", "mail"].map(|n| at.join(n))));
            if tls.is_some() {
                run(Command::new("chown")
                    .arg("Debian-exim")
                    .args(["chain.pem", "key.pem"].map(|n| at.join(n))));
            }
        }
        let program = ["/usr/sbin/exim4", "/usr/sbin/exim"].into_iter().find(|p| Path::new(p).exists());
        let program = program.expect("Exim is missing: install exim4-daemon-light (./test does)");
        let child = Command::new(program)
            .arg("-C")
            .arg(at.join("exim.conf"))
            .args(["-bdf", "-oX", &format!("127.0.0.1.{port}:127.0.0.1.{tls_port}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(at.join("stderr")).expect("a file"))
            .spawn()
            .expect("Exim runs");
        let mut server = Self { port, tls_port, folder, child };
        server.wait();
        server
    }

    fn wait(&mut self) {
        let until = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.child.try_wait().ok().flatten();
            assert!(ended.is_none() && Instant::now() < until, "Exim did not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the server has written down.
    pub fn log(&self) -> String {
        ["stderr", "log/mainlog", "log/rejectlog", "log/paniclog"]
            .iter()
            .filter_map(|n| std::fs::read_to_string(self.folder.path().join(n)).ok())
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// From now on `grey` takes mail.
    pub fn lift_greylist(&self) {
        std::fs::write(self.folder.path().join("ungrey"), "").expect("written");
    }

    /// The mail of one mailbox, once there is so much of it.
    pub async fn mails(&self, local_part: &str, count: usize) -> Vec<Mail> {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let found = self.mailbox(local_part);
            if found.len() >= count {
                return found;
            }
            assert!(
                Instant::now() < until,
                "{count} mails for {local_part}, found {}: {}",
                found.len(),
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// What is in a mailbox now.
    pub fn mailbox(&self, local_part: &str) -> Vec<Mail> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(self.folder.path().join("mail/new"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|e| e.path())
            .collect();
        files.sort();
        let mails = files.iter().filter_map(|f| std::fs::read_to_string(f).ok()).filter_map(|raw| {
            let (head, body) = raw.split_once("\n\n")?;
            Some(Mail { head: head.to_owned(), body: body.to_owned() })
        });
        mails
            .filter(|m| m.header("envelope-to").is_some_and(|to| to.starts_with(&format!("{local_part}@"))))
            .collect()
    }
}

impl Drop for Exim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(command: &mut Command) {
    assert!(command.status().is_ok_and(|s| s.success()), "{command:?}");
}

/// Exim's specification: exim.org/exim-html-current/doc/html/spec_html.
const CONFIG: &str = r"primary_hostname = mail.test.example
spool_directory = @FOLDER@/spool
log_file_path = @FOLDER@/log/%slog
pid_file_path = @FOLDER@/spool/pid
@USER@
never_users =
keep_environment =
host_lookup =
rfc1413_hosts =
smtp_accept_max = 50
smtp_accept_max_per_connection = 100
timeout_frozen_after = 1h
acl_smtp_rcpt = acl_rcpt
@TLS@

begin acl
acl_rcpt:
  @AUTH@
  deny local_parts = nobody
       message = 5.1.1 no such user here
  defer local_parts = grey
       condition = ${if !exists{@FOLDER@/ungrey}}
       message = 4.7.1 greylisted, come back later
  accept domains = test.example
  deny message = 5.7.1 relay not permitted

begin routers
all:
  driver = accept
  transport = folder

begin transports
folder:
  driver = appendfile
  directory = @FOLDER@/mail
  create_directory
  maildir_format
  envelope_to_add
  return_path_add
  @AS@

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{user}}{eq{$auth3}{right-password}}}}
  server_set_id = $auth2
";
