//! Web servers that others wrote: nginx, Caddy and HAProxy, each with TLS on both families and one plain port.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::pki::Identity;
use super::process::{Program, Server, accepts, command, on_free_ports, write};

const NGINX: Program = Program { name: "nginx", package: "nginx-light" };
const CADDY: Program = Program { name: "caddy", package: "caddy" };
const HAPROXY: Program = Program { name: "haproxy", package: "haproxy" };

/// A web server that is up.
pub(crate) struct Web {
    /// TLS on 127.0.0.1 and ::1 (HAProxy and nginx over TCP, Caddy over QUIC too).
    pub(crate) tls_port: u16,
    /// Plain HTTP on 127.0.0.1 and ::1.
    pub(crate) plain_port: u16,
    folder: PathBuf,
    server: Server,
}

impl Web {
    /// nginx. `http` stands in the http block, `server` in the server block for api.example.test behind TLS.
    pub(crate) fn nginx(folder: &Path, identity: &Identity, http: &str, server: &str) -> Self {
        let inside = format!(
            "{http}\n\
             server {{ listen 127.0.0.1:TLS ssl http2; listen [::1]:TLS ssl http2; server_name api.example.test;\n\
             ssl_certificate {chain}; ssl_certificate_key {key};\n{server}\n}}\n\
             server {{ listen 127.0.0.1:PLAIN; listen [::1]:PLAIN; server_name api.example.test; return 301 https://$host$request_uri; }}\n",
            chain = identity.chain,
            key = identity.key,
        );
        Self::nginx_with(folder, &inside)
    }

    /// nginx with its whole http block; `TLS` and `PLAIN` in it stand for the two ports.
    pub(crate) fn nginx_with(folder: &Path, http: &str) -> Self {
        let folder = made(folder, "nginx");
        on_free_ports(|[tls, plain]| {
            let http = http.replace("TLS", &tls.to_string()).replace("PLAIN", &plain.to_string());
            let place = folder.display();
            // One process under our own user: no privileges are needed, and the group ends with it.
            let config = write(
                &folder,
                "nginx.conf",
                &format!(
                    "daemon off; master_process off; pid {place}/pid; error_log stderr warn;\n\
                     events {{ worker_connections 512; }}\n\
                     http {{ access_log {place}/access.log; default_type text/plain; keepalive_timeout 30s;\n\
                     client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/fastcgi;\n\
                     uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;\n{http}\n}}\n"
                ),
            );
            let mut nginx = command(NGINX);
            nginx.args(["-p", &place.to_string(), "-e", "stderr", "-c", &config]);
            let ready = [tls, plain];
            let server = Server::start(NGINX, nginx, folder.join("log"), |_| ready.into_iter().all(listens))?;
            Ok(Self { tls_port: tls, plain_port: plain, folder: folder.clone(), server })
        })
    }

    /// Caddy with HTTP/1.1, HTTP/2 and HTTP/3. `site` stands in the site block of api.example.test.
    pub(crate) fn caddy(folder: &Path, identity: &Identity, site: &str) -> Self {
        let folder = made(folder, "caddy");
        on_free_ports(|[tls, plain]| {
            let (chain, key) = (&identity.chain, &identity.key);
            // As seen from outside, HTTP/3 is on port 443: what listens elsewhere is only this test's doing.
            let config = write(
                &folder,
                "Caddyfile",
                &format!(
                    "{{\n admin off\n auto_https off\n https_port {tls}\n http_port {plain}\n}}\n\
                     https://api.example.test:{tls} {{\n bind 127.0.0.1 ::1\n tls {chain} {key}\n\
                     \x20header Alt-Svc `h3=\":443\"; ma=86400`\n{site}\n}}\n\
                     http://api.example.test:{plain} {{\n bind 127.0.0.1 ::1\n redir https://{{host}}{{uri}} 308\n}}\n"
                ),
            );
            let mut caddy = command(CADDY);
            caddy.args(["run", "--adapter", "caddyfile", "--config", &config]);
            caddy.env("HOME", &folder).env("XDG_DATA_HOME", &folder).env("XDG_CONFIG_HOME", &folder);
            // Its last word before it serves; the TCP ports accept before the QUIC ones do.
            let server = Server::start(CADDY, caddy, folder.join("log"), |log| {
                log.contains("serving initial configuration")
            })?;
            Ok(Self { tls_port: tls, plain_port: plain, folder: folder.clone(), server })
        })
    }

    /// HAProxy over TLS with HTTP/1.1 and HTTP/2. `backend` stands in the backend section.
    pub(crate) fn haproxy(folder: &Path, identity: &Identity, backend: &str) -> Self {
        let folder = made(folder, "haproxy");
        on_free_ports(|[tls, plain]| {
            let pem = &identity.both;
            let config = write(
                &folder,
                "haproxy.cfg",
                &format!(
                    "global\n  log stderr format raw local0\n\
                     defaults\n  mode http\n  timeout connect 2s\n  timeout client 30s\n  timeout server 10s\n\
                     frontend tls\n  bind 127.0.0.1:{tls} ssl crt {pem} alpn h2,http/1.1\n  bind [::1]:{tls} ssl crt {pem} alpn h2,http/1.1\n\
                     \x20 default_backend app\n\
                     frontend plain\n  bind 127.0.0.1:{plain}\n  bind [::1]:{plain}\n  http-request redirect scheme https code 301\n\
                     backend app\n  {backend}\n"
                ),
            );
            let mut haproxy = command(HAPROXY);
            haproxy.args(["-db", "-f", &config]);
            let ready = [tls, plain];
            let server =
                Server::start(HAPROXY, haproxy, folder.join("log"), |_| ready.into_iter().all(listens))?;
            Ok(Self { tls_port: tls, plain_port: plain, folder: folder.clone(), server })
        })
    }

    /// The lines of nginx's access log, as soon as there are at least `expected`: the last line is written a moment after
    /// the client has its answer.
    pub(crate) fn access_log(&self, expected: usize) -> Vec<String> {
        let file = self.folder.join("access.log");
        let lines = || {
            std::fs::read_to_string(&file).unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>()
        };
        for _ in 0..250 {
            if lines().len() >= expected {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        lines()
    }

    /// What the server wrote to stdout and stderr.
    pub(crate) fn log(&self) -> String {
        self.server.log()
    }
}

fn listens(port: u16) -> bool {
    let both: [SocketAddr; 2] = [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()];
    both.into_iter().all(accepts)
}

fn made(folder: &Path, name: &str) -> PathBuf {
    let folder = folder.join(name);
    std::fs::create_dir(&folder).expect("a folder is made");
    folder
}
