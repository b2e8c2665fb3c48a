//! `landfall http` against servers that we did not write: nginx, Apache, HAProxy and Caddy, each with one thing that is
//! true of it. The probe must see it and the findings must say it, and say nothing of what is well.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use landfall_audit::{Config, Overrides, Plan, Probe, Progress, collect};
use landfall_diagnosis::{Catalogue, Diagnosis, diagnose};
use landfall_evidence::{Evidence, HttpObservation, HttpResponse, Purpose};

const HOST: &str = "api.example.test";

/// A server program that is up; it ends with its value.
struct Server {
    child: Child,
    log: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ports that nobody listens on, for TCP and UDP.
fn free_ports<const N: usize>() -> [u16; N] {
    std::array::from_fn(|_| landfall_ports::claimed())
}

/// Starts a program and waits until all ports take connections.
fn start(program: &str, args: &[&str], folder: &Path, ports: &[u16]) -> Server {
    let log = folder.join(format!("{program}.log"));
    let output = std::fs::File::create(&log).expect("a log");
    let path = std::env::var("PATH").unwrap_or_default();
    let child = Command::new(program)
        .args(args)
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .envs([("HOME", folder), ("XDG_DATA_HOME", folder), ("XDG_CONFIG_HOME", folder)])
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("a second handle"))
        .stderr(output)
        .spawn()
        .unwrap_or_else(|error| panic!("{program} cannot be started: {error}; run scripts/setup"));
    let mut server = Server { child, log };
    for _ in 0..1500 {
        let up = |port: &u16| TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], *port))).is_ok();
        if ports.iter().all(up) {
            return server;
        }
        if let Ok(Some(status)) = server.child.try_wait() {
            panic!(
                "{program} ended with {status}: {}",
                std::fs::read_to_string(&server.log).unwrap_or_default()
            );
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{program} does not listen: {}", std::fs::read_to_string(&server.log).unwrap_or_default());
}

/// A folder with a certificate for the host: `cert.pem`, `key.pem`, and both in `both.pem`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let key = rcgen::KeyPair::generate().expect("key");
    let certificate = rcgen::CertificateParams::new(vec![HOST.to_owned()])
        .expect("a name")
        .self_signed(&key)
        .expect("signed");
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).expect("written");
    write("cert.pem", certificate.pem());
    write("key.pem", key.serialize_pem());
    write("both.pem", certificate.pem() + &key.serialize_pem());
    folder
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    path.display().to_string()
}

/// nginx with this inside its http block; `FOLDER` stands for the folder.
fn nginx(folder: &Path, http: &str, ports: &[u16]) -> Server {
    let place = folder.display().to_string();
    let text = format!(
        "daemon off; master_process off; pid {place}/pid; error_log stderr warn; events {{ worker_connections 256; }}\n\
         http {{ access_log off; default_type text/plain; client_body_temp_path {place}/body; proxy_temp_path {place}/proxy;\n\
         fastcgi_temp_path {place}/fastcgi; uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;\n{http}\n}}\n",
    );
    let config = write(folder, "nginx.conf", &text.replace("FOLDER", &place));
    start("nginx", &["-p", &place, "-e", "stderr", "-c", &config], folder, ports)
}

struct Seen {
    evidence: Evidence,
    diagnosis: Diagnosis,
}

impl Seen {
    fn raised(&self, code: &str) -> Option<&str> {
        self.diagnosis.findings.iter().find(|f| f.code == code).map(|f| f.title.as_str())
    }

    fn trial(&self, name: &str) -> &HttpObservation {
        let named = |seen: &HttpObservation| seen.request.trial.as_ref().is_some_and(|t| t.name == name);
        self.evidence.trials().map(|(_, seen)| seen).find(|seen| named(seen)).unwrap_or_else(|| {
            panic!(
                "no trial {name} among {:?}",
                self.evidence.observations.iter().map(|o| &o.id.0).collect::<Vec<_>>()
            )
        })
    }

    fn answered(&self, name: &str) -> &HttpResponse {
        let seen = self.trial(name);
        seen.answer.present().unwrap_or_else(|| panic!("{name}: {}", seen.answer.describe()))
    }

    /// Asserts which of the codes of this area are raised; `expected` may leave out remarks of no weight.
    fn only(&self, expected: &[&str], remarks: &[&str]) {
        let found: Vec<&str> = self
            .diagnosis
            .findings
            .iter()
            .map(|f| f.code.as_str())
            .filter(|c| c.starts_with("LF-HTTP-") && !remarks.contains(c))
            .collect();
        let titles: Vec<&str> = self.diagnosis.findings.iter().map(|f| f.title.as_str()).collect();
        assert_eq!(found, expected, "{titles:#?}");
    }
}

/// `landfall http` of the host, with its port 443 led to `tls` and its port 80 to `plain`.
async fn look(tls: u16, plain: u16, target: &str) -> Seen {
    let text = format!("[target]\nproduction = \"https://{HOST}\"\n{target}\n");
    let config = Config::parse(&text, "landfall.toml").unwrap_or_else(|e| panic!("{e}"));
    let said = Overrides {
        only: vec![Probe::Http],
        deep: true,
        connect_to: vec![format!("{HOST}:443:127.0.0.1:{tls}"), format!("{HOST}:80:127.0.0.1:{plain}")],
        timeout: Some(Duration::from_secs(60)),
        ..Overrides::default()
    };
    let plan = Plan::new(&config, &said).expect("a plan");
    let evidence = collect(&plan, Catalogue::embedded(), &Progress::default()).await.expect("collected");
    // What is saved reads back to the same bytes, and is judged alike.
    let again = Evidence::from_json(&evidence.to_json()).expect("evidence of this version");
    assert_eq!(again.to_json(), evidence.to_json());
    let diagnosis = diagnose(&evidence, Catalogue::embedded());
    Seen { evidence, diagnosis }
}

const HEALTH: &str = "[[endpoint]]\npath = \"/health\"\nstatus = [200]\n";

/// Remarks that any plain set-up of a test has: no HSTS, headers of an API, no HTTP/3.
const REMARKS: &[&str] = &["LF-HTTP-008", "LF-HTTP-012", "LF-HTTP-039"];

fn json_of(byte: usize) -> String {
    format!("{{\"status\": \"ok\", \"text\": \"{}\"}}", "words and words, ".repeat(byte / 17))
}

// ------------------------------------------------------------------------------------------------------------- nginx

#[tokio::test(flavor = "multi_thread")]
async fn nginx_that_is_well_gets_remarks_only() {
    let folder = folder();
    let [tls, plain] = free_ports();
    let body = json_of(2_000);
    let http = format!(
        "gzip on; gzip_types application/json; gzip_min_length 100;\n\
         server {{ listen 127.0.0.1:{tls} ssl http2; ssl_certificate FOLDER/cert.pem; ssl_certificate_key FOLDER/key.pem;\n\
         location = /health {{ default_type application/json; add_header cache-control no-store; return 200 '{body}'; }}\n\
         location / {{ default_type application/problem+json; return 404 '{{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404}}'; }} }}\n\
         server {{ listen 127.0.0.1:{plain}; return 308 https://$host$request_uri; }}"
    );
    let _nginx = nginx(folder.path(), &http, &[tls, plain]);
    let seen = look(tls, plain, HEALTH).await;
    seen.only(&[], REMARKS);
    // Every coding was asked for; nginx has gzip alone, and what it sends can be read.
    let gzip = seen.answered("coding-gzip").body.decoded.clone().expect("nginx compressed");
    assert_eq!((gzip.problem, gzip.byte_count), (None, body.len() as u64));
    assert!(seen.answered("coding-br").header("content-encoding").is_none());
    assert_eq!(seen.answered("head").body.byte_count, 0);
    // A warm connection has no lookup, no connect and no handshake: those phases did not happen, and are not 0.
    let warm = seen.trial("warm").timings;
    assert_eq!((warm.resolve_us, warm.connect_us, warm.tls_us), (None, None, None));
    assert!(warm.wait_us.is_some());
    let headers = seen.diagnosis.findings.iter().find(|f| f.code == "LF-HTTP-039").expect("a remark");
    assert!(headers.title.contains("MDN Observatory would give 30 (D)"), "{}", headers.title);
    assert!(seen.evidence.requests.total <= 20, "{:?}", seen.evidence.requests);
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_that_keeps_an_old_copy_is_told_by_a_query_that_no_cache_has_seen() {
    let folder = folder();
    let [tls, plain, origin] = free_ports();
    std::fs::create_dir(folder.path().join("www")).expect("a folder");
    let page = |build: &str| {
        std::fs::write(
            folder.path().join("www/health"),
            format!("{{\"status\": \"ok\", \"version\": \"{build}\"}}"),
        )
        .expect("written");
    };
    page("1.0.0");
    let http = format!(
        "proxy_cache_path FOLDER/cache keys_zone=one:1m;\n\
         server {{ listen 127.0.0.1:{tls} ssl http2; ssl_certificate FOLDER/cert.pem; ssl_certificate_key FOLDER/key.pem;\n\
         location / {{ proxy_pass http://127.0.0.1:{origin}; proxy_cache one; proxy_cache_valid 200 10m;\n\
         add_header x-cache $upstream_cache_status; }} }}\n\
         server {{ listen 127.0.0.1:{plain}; return 301 https://www.{HOST}$request_uri; }}\n\
         server {{ listen 127.0.0.1:{origin}; root FOLDER/www; default_type application/json; }}"
    );
    let _nginx = nginx(folder.path(), &http, &[tls, plain, origin]);
    look(tls, plain, HEALTH).await.only(&["LF-HTTP-029"], &[REMARKS, &["LF-HTTP-015"]].concat());
    page("1.1.0");
    let hook = format!("{HEALTH}[[endpoint]]\nmethod = \"POST\"\npath = \"/hook\"\n");
    let seen = look(tls, plain, &hook).await;
    let title = seen.raised("LF-HTTP-032").expect("an old copy");
    assert!(title.contains("x-cache: HIT"), "{title}");
    assert!(seen.raised("LF-HTTP-015").is_some(), "a health answer from a cache");
    assert!(seen.raised("LF-HTTP-028").is_some_and(|t| t.contains("/hook")), "301 turns POST into GET");
    assert!(seen.raised("LF-HTTP-029").is_some(), "port 80 leaves the host");
}

// ------------------------------------------------------------------------------------------------------------ Apache

fn apache(folder: &Path, inside: &str, ports: [u16; 2]) -> Server {
    let place = folder.display();
    let modules = [
        "mpm_event",
        "authz_core",
        "ssl",
        "http2",
        "headers",
        "rewrite",
        "setenvif",
        "mime",
        "dir",
        "filter",
        "deflate",
        "brotli",
        "socache_shmcb",
    ];
    let modules: String = modules
        .iter()
        .map(|m| format!("LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so\n"))
        .collect();
    std::fs::create_dir_all(folder.join("www")).expect("a folder");
    let text = format!(
        "ServerRoot {place}\nPidFile {place}/httpd.pid\nDefaultRuntimeDir {place}\nServerName {HOST}\nErrorLog /dev/stderr\n\
         {modules}Listen 127.0.0.1:{tls}\nListen 127.0.0.1:{plain}\nDocumentRoot {place}/www\nUser www-data\nGroup www-data\n\
         TypesConfig /dev/null\nForceType application/json\nSSLSessionCache none\n\
         <VirtualHost 127.0.0.1:{tls}>\nProtocols h2 http/1.1\nSSLEngine on\nSSLCertificateFile {place}/cert.pem\n\
         SSLCertificateKeyFile {place}/key.pem\n{inside}\n</VirtualHost>\n\
         <VirtualHost 127.0.0.1:{plain}>\nRewriteEngine on\nRewriteRule ^(.*)$ https://{HOST}$1 [R=308,L]\n</VirtualHost>\n",
        tls = ports[0],
        plain = ports[1],
    );
    let config = write(folder, "httpd.conf", &text);
    // Its workers run under another user, who must be able to read.
    use std::os::unix::fs::PermissionsExt as _;
    for open in [folder.to_owned(), folder.join("www")] {
        std::fs::set_permissions(open, std::fs::Permissions::from_mode(0o755)).expect("opened");
    }
    start("apache2", &["-X", "-f", &config], folder, &ports)
}

#[tokio::test(flavor = "multi_thread")]
async fn apache_with_codings_that_can_be_read() {
    let folder = folder();
    let [tls, plain] = free_ports();
    std::fs::create_dir_all(folder.path().join("www")).expect("a folder");
    let body = json_of(3_000);
    std::fs::write(folder.path().join("www/health"), &body).expect("written");
    let inside = "Header set Cache-Control no-store\nAddOutputFilterByType BROTLI_COMPRESS;DEFLATE application/json\nErrorDocument 404 '{\"error\": 404}'";
    let _apache = apache(folder.path(), inside, [tls, plain]);
    let seen = look(tls, plain, HEALTH).await;
    seen.only(&[], &[REMARKS, &["LF-HTTP-040"]].concat());
    for (name, coding) in [("coding-gzip", "gzip"), ("coding-br", "br")] {
        let answer = seen.answered(name);
        assert_eq!(answer.header("content-encoding"), Some(coding));
        let out = answer.body.decoded.clone().expect("decoded");
        assert_eq!((out.problem, out.byte_count), (None, body.len() as u64), "{coding}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn apache_that_names_a_coding_it_does_not_apply_refuses_head_and_trusts_any_page() {
    let folder = folder();
    let [tls, plain] = free_ports();
    std::fs::create_dir_all(folder.path().join("www")).expect("a folder");
    std::fs::write(folder.path().join("www/health"), json_of(3_000)).expect("written");
    let inside = "Header set Cache-Control no-store\n\
        Header set Content-Encoding gzip \"expr=%{HTTP:Accept-Encoding} =~ /gzip/\"\n\
        RewriteEngine on\nRewriteCond %{REQUEST_METHOD} =HEAD\nRewriteRule ^ - [R=405,L]\n\
        RewriteCond %{REQUEST_METHOD} =OPTIONS\nRewriteRule ^ - [R=404,L]\n\
        SetEnvIf Origin \"(.+)\" PAGE=$1\nHeader set Access-Control-Allow-Origin %{PAGE}e env=PAGE\n\
        Header set Access-Control-Allow-Credentials true env=PAGE";
    let _apache = apache(folder.path(), inside, [tls, plain]);
    let target = format!(
        "frontends = [\"https://app.example.test\"]\n{HEALTH}[[endpoint]]\nmethod = \"PUT\"\npath = \"/items\"\n"
    );
    let seen = look(tls, plain, &target).await;
    let coding = seen.raised("LF-HTTP-030").expect("a broken coding");
    assert!(coding.contains("/health as gzip") && coding.contains("not of this coding"), "{coding}");
    assert!(seen.raised("LF-HTTP-026").is_some_and(|t| t.contains("405")), "HEAD");
    assert!(seen.raised("LF-HTTP-037").is_some(), "any page, with credentials");
    assert!(seen.raised("LF-HTTP-035").is_some(), "reflected without Vary");
    assert!(
        seen.raised("LF-HTTP-034").is_some_and(|t| t.contains("preflight is not answered with success")),
        "{:?}",
        seen.raised("LF-HTTP-034")
    );
}

// ----------------------------------------------------------------------------------------------------------- HAProxy

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_that_offers_h2_for_a_backend_that_has_none() {
    let folder = folder();
    let [tls, plain, origin] = free_ports();
    // TLS ends here and the bytes go on as they are: who is offered HTTP/2 speaks it to a server that does not.
    let config = format!(
        "global\n  log stderr format raw local0\ndefaults\n  timeout connect 2s\n  timeout client 10s\n  timeout server 10s\n\
         frontend tls\n  mode tcp\n  bind 127.0.0.1:{tls} ssl crt {}/both.pem alpn h2,http/1.1\n  default_backend app\n\
         frontend plain\n  mode http\n  bind 127.0.0.1:{plain}\n  http-request redirect scheme https code 308\n\
         backend app\n  mode tcp\n  server one 127.0.0.1:{origin}\n",
        folder.path().display()
    );
    let http = format!(
        "server {{ listen 127.0.0.1:{origin}; default_type application/json;\n\
         location = /health {{ return 200 '{{\"status\": \"ok\"}}'; }} }}"
    );
    let _nginx = nginx(folder.path(), &http, &[origin]);
    let config = write(folder.path(), "haproxy.cfg", &config);
    let _haproxy = start("haproxy", &["-db", "-f", &config], folder.path(), &[tls, plain]);
    let seen = look(tls, plain, HEALTH).await;
    let title = seen.raised("LF-HTTP-023").unwrap_or_else(|| panic!("{:#?}", seen.diagnosis.findings));
    assert!(title.contains("HTTP/2 is offered and fails") && title.contains("HTTP/1.1 works"), "{title}");
    let by_h1 = seen.evidence.http().any(|(_, s)| {
        s.request.purpose == Purpose::Version && s.answer.present().is_some_and(|r| r.status == 200)
    });
    assert!(by_h1, "HTTP/1.1 was tried");
}

// ------------------------------------------------------------------------------------------------------------- Caddy

fn caddy(folder: &Path, global: &str, site: &str, ports: [u16; 2]) -> Server {
    let [tls, plain] = ports;
    let place = folder.display();
    let text = format!(
        "{{\n admin off\n auto_https off\n https_port {tls}\n http_port {plain}\n {global}\n}}\n\
         https://{HOST}:{tls} {{\n bind 127.0.0.1\n tls {place}/cert.pem {place}/key.pem\n{site}\n}}\n\
         http://{HOST}:{plain} {{\n bind 127.0.0.1\n redir https://{{host}}{{uri}} 308\n}}\n"
    );
    let config = write(folder, "Caddyfile", &text);
    start("caddy", &["run", "--adapter", "caddyfile", "--config", &config], folder, &ports)
}

#[tokio::test(flavor = "multi_thread")]
async fn caddy_that_announces_http3_and_has_it_turned_off() {
    let folder = folder();
    let ports = free_ports();
    let site = " header Alt-Svc `h3=\":443\"; ma=7776000`\n header Content-Type application/json\n header Cache-Control no-store\n\
                 respond /health `{\"status\": \"ok\"}`\n respond 404";
    let _caddy = caddy(folder.path(), "servers {\n protocols h1 h2\n }", site, ports);
    let seen = look(ports[0], ports[1], HEALTH).await;
    let title = seen.raised("LF-HTTP-009").expect("announced and dead");
    assert!(title.contains("UDP 443") && title.contains("90 days"), "{title}");
}

#[tokio::test(flavor = "multi_thread")]
async fn caddy_in_all_versions_and_two_codings() {
    let folder = folder();
    let ports = free_ports();
    std::fs::create_dir(folder.path().join("www")).expect("a folder");
    let body = json_of(4_000);
    std::fs::write(folder.path().join("www/health"), &body).expect("written");
    // As seen from outside HTTP/3 is on port 443; what listens elsewhere is this test's doing.
    let site = format!(
        " header Alt-Svc `h3=\":443\"; ma=86400`\n header Content-Type application/json\n header Cache-Control no-store\n\
         \x20encode zstd gzip {{\n match {{\n header Content-Type application/json*\n }}\n }}\n root * {}/www\n file_server\n",
        folder.path().display()
    );
    let _caddy = caddy(folder.path(), "", &site, ports);
    let seen = look(ports[0], ports[1], HEALTH).await;
    seen.only(&[], &[REMARKS, &["LF-HTTP-026", "LF-HTTP-040"]].concat());
    assert!(seen.raised("LF-HTTP-008").is_none() && seen.raised("LF-HTTP-009").is_none(), "HTTP/3 answers");
    for (name, coding) in [("coding-gzip", "gzip"), ("coding-zstd", "zstd")] {
        let answer = seen.answered(name);
        assert_eq!(answer.header("content-encoding"), Some(coding), "{:?}", answer.headers);
        let out = answer.body.decoded.clone().expect("decoded");
        assert_eq!((out.problem, out.byte_count), (None, body.len() as u64), "{coding}");
    }
}
