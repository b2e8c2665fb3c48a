//! A project folder: deploy files (TOML, YAML, JSON, Dockerfile, nginx, Caddy, systemd), manifests, `.env` files and source in
//! every language, all in one text (see `unpack`).

#![no_main]

#[path = "../../crates/project/tests/foreign/unpack.rs"]
mod unpack;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    if unpack::unpack(bytes, folder.path()) > 0 {
        unpack::read_all(folder.path());
    }
});
