//! The servers, each on a port of its own.

use std::net::SocketAddr;
use std::path::Path;

use super::authority::{Authority, HOST, Identity};
use super::process::{Program, Server, accepts, command, on_free_ports, write};

const OPENSSL: Program = Program { name: "openssl", package: "openssl" };
const NGINX: Program = Program { name: "nginx", package: "nginx" };
const HAPROXY: Program = Program { name: "haproxy", package: "haproxy" };

/// A TLS server that is up.
pub(crate) struct Tls {
    pub(crate) address: SocketAddr,
    #[expect(dead_code, reason = "it ends with this value")]
    server: Server,
}

fn at(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// `openssl s_server` with these words, which name the certificate too.
pub(crate) fn openssl(authority: &Authority, words: &str) -> Tls {
    on_free_ports(|[port]| {
        let mut program = command(OPENSSL);
        program.args(["s_server", "-www", "-accept", &at(port).to_string()]);
        program.args(words.split(' ').filter(|word| !word.is_empty()));
        program.current_dir(authority.folder());
        let log = authority.path(&format!("openssl-{port}.log"));
        // It says that it listens; a connection made to find out would be its first client.
        let server = Server::start(OPENSSL, program, log, |log| log.contains("ACCEPT"))?;
        Ok(Tls { address: at(port), server })
    })
}

/// nginx with one TLS server; `settings` stand in its server block.
pub(crate) fn nginx(authority: &Authority, chain: &Path, key: &Path, settings: &str) -> Tls {
    nginx_with(
        authority,
        &format!(
            "server {{ listen 127.0.0.1:@PORT@ ssl http2; server_name {HOST}; ssl_certificate {}; ssl_certificate_key {};\n\
             {settings}\nlocation / {{ return 200 ok; }} }}",
            chain.display(),
            key.display()
        ),
    )
}

/// nginx with this http block; `@PORT@` stands for the port.
pub(crate) fn nginx_with(authority: &Authority, http: &str) -> Tls {
    on_free_ports(|[port]| {
        let folder = authority.path(&format!("nginx-{port}"));
        std::fs::create_dir(&folder).expect("a folder is made");
        let place = folder.display();
        let config = write(
            &folder,
            "nginx.conf",
            &format!(
                "daemon off; master_process off; pid {place}/pid; error_log stderr warn;\n\
                 events {{ worker_connections 512; }}\n\
                 http {{ access_log off; client_body_temp_path {place}/body; proxy_temp_path {place}/proxy;\n\
                 fastcgi_temp_path {place}/fastcgi; uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;\n{}\n}}\n",
                http.replace("@PORT@", &port.to_string())
            ),
        );
        let mut program = command(NGINX);
        program.args(["-p", &place.to_string(), "-e", "stderr", "-c", &config]);
        let server = Server::start(NGINX, program, folder.join("log"), |_| accepts(at(port)))?;
        Ok(Tls { address: at(port), server })
    })
}

/// HAProxy with these words on its bind line.
pub(crate) fn haproxy(authority: &Authority, chain_and_key: &Path, words: &str) -> Tls {
    on_free_ports(|[port]| {
        let config = write(
            authority.folder(),
            &format!("haproxy-{port}.cfg"),
            &format!(
                "global\n  tune.ssl.default-dh-param 2048\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 10s\n  timeout server 10s\n\
                 frontend tls\n  bind 127.0.0.1:{port} ssl crt {} {words}\n  http-request return status 200 content-type text/plain string ok\n",
                chain_and_key.display()
            ),
        );
        let mut program = command(HAPROXY);
        program.args(["-db", "-f", &config]);
        let log = authority.path(&format!("haproxy-{port}.log"));
        let server = Server::start(HAPROXY, program, log, |_| accepts(at(port)))?;
        Ok(Tls { address: at(port), server })
    })
}

/// What everybody serves today: TLS 1.2 and 1.3, the leaf with its intermediate.
pub(crate) fn good(authority: &Authority, identity: &Identity) -> Tls {
    let chain = authority.joined("good-chain.pem", &[&identity.leaf, &authority.path("intermediate.pem")]);
    nginx(authority, &chain, &identity.key, INTERMEDIATE)
}

/// Mozilla's intermediate profile for nginx.
pub(crate) const INTERMEDIATE: &str = "ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers off; ssl_session_timeout 1d;\n\
    ssl_session_cache shared:S:1m; ssl_session_tickets off;\n\
    ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305;";
