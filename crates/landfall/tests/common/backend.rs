//! The real application: the Flask project of the acceptance case, served by gunicorn.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use super::process::{Program, Server};

/// gunicorn with a copy of the project.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    _server: Server,
}

impl Backend {
    /// Copies the project below `folder` and serves the copy.
    pub(crate) fn up(folder: &Path) -> Self {
        let project = folder.join("project");
        let kept = repository().join("scenarios/levqor");
        copy(&kept.join("project"), &project);
        std::fs::copy(kept.join("dotenv"), project.join(".env")).expect("the settings are copied");
        // The socket is opened here and handed over as standard input, so that nobody else can get the port.
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let address = socket.local_addr().expect("it is bound");
        let mut command = Command::new(VENV.join("bin/gunicorn"));
        command
            .args(["--bind", "fd://0", "--workers", "1", "--threads", "4", "--timeout", "30", "run:app"])
            .current_dir(&project)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::from(OwnedFd::from(socket)));
        let program = Program { name: "gunicorn", package: "python3-venv and run scripts/lab-venv" };
        let server = Server::start(program, command, folder.join("gunicorn.log"), |_| healthy(address));
        Self {
            address,
            _server: server.unwrap_or_else(|log| panic!("gunicorn did not take its socket:\n{log}")),
        }
    }

    /// Its base URL, for `--local`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// The Python environment, made once when it is not there yet.
static VENV: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = repository();
    let venv = std::env::var_os("LANDFALL_LAB_VENV").map_or_else(|| root.join(".lab/venv"), PathBuf::from);
    if !venv.join("bin/gunicorn").exists() {
        let made = Command::new(root.join("scripts/lab-venv")).status().expect("scripts/lab-venv runs");
        assert!(made.success(), "scripts/lab-venv failed: {made}");
    }
    venv
});

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository is there")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder is made");
    for entry in std::fs::read_dir(from).unwrap_or_else(|e| panic!("{}: {e}", from.display())) {
        let entry = entry.expect("the folder can be read");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a file type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a file is copied");
        }
    }
}

/// The socket listens from the start, so only an answer shows that a worker is there.
fn healthy(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut head = vec![0; 12];
        stream.read_exact(&mut head)?;
        Ok(head)
    };
    ask().is_ok_and(|head| head == b"HTTP/1.1 200")
}
