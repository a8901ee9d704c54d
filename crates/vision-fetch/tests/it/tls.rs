//! Encrypted downloads, and servers that are not who they should be.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use tempfile::TempDir;
use vision_fetch::hub::Hub;
use vision_fetch::{Download, Error, Options, Store};

use crate::authority::Authority;
use crate::support::{Server, noise, quick, reply_range};

struct Case {
    folder: TempDir,
    authority: Authority,
    server: Server,
    body: Vec<u8>,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("ours");
        authority.write(&folder.path().join("roots.pem"));
        let body = noise(50_000);
        let sent = body.clone();
        Self {
            server: Server::start(move |_, request, stream| {
                reply_range(stream, request, "\"v1\"", &sent);
            }),
            folder,
            authority,
            body,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Trusts the authority of the case alone.
    fn options(&self) -> Options {
        quick()
            .with_progress(false)
            .with_certificates(self.file("roots.pem"))
    }

    fn get(&self, url: &str, options: Options) -> vision_fetch::Result<Vec<u8>> {
        let file = self.file("out");
        Download::new(url, &file).with_options(options).fetch()?;
        Ok(fs::read(&file).unwrap())
    }
}

#[test]
fn a_file_comes_over_tls_from_a_server_of_a_trusted_authority() {
    let case = Case::new();
    let port = case.authority.protect(&case.server, "localhost");
    let url = format!("https://localhost:{port}/train-000.tar");
    assert_eq!(case.get(&url, case.options()).unwrap(), case.body);
    // Into a store, as the shards of a data set come.
    let store = Store::open(case.file("store"), 1 << 20).unwrap();
    let store = store.with_options(case.options());
    let (_, known) = store.get(&url, None).unwrap();
    assert_eq!(known.bytes, case.body.len() as u64);
    assert_eq!(case.server.requests().len(), 2);
}

#[test]
fn a_server_that_cannot_prove_its_name_gets_no_request() {
    let case = Case::new();
    let stranger = Authority::new("a stranger").protect(&case.server, "localhost");
    let other_name = case.authority.protect(&case.server, "example.org");
    for (port, reason) in [
        (stranger, "UnknownIssuer"),
        (other_name, "not valid for name"),
    ] {
        let url = format!("https://localhost:{port}/file");
        // Not even one that is asked for again: the certificate will not change.
        let error = case.get(&url, case.options().with_retries(3)).unwrap_err();
        let Error::Untrusted {
            url: named,
            reason: found,
        } = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!(*named, url);
        assert!(found.contains(reason), "{found}");
        assert!(error.to_string().contains("SSL_CERT_FILE"), "{error}");
    }
    assert_eq!(case.server.requests().len(), 0);
}

#[test]
fn a_hub_that_cannot_prove_its_name_is_told_from_one_that_is_away() {
    let case = Case::new();
    let stranger = Authority::new("a stranger").protect(&case.server, "localhost");
    let hub = Hub::new("timm/resnet18.a1_in1k")
        .with_endpoint(format!("https://localhost:{stranger}"))
        .with_cache(case.file("cache"));
    let error = hub.file_with("config.json", &case.options()).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("UnknownIssuer"), "{message}");
    assert!(message.contains("SSL_CERT_FILE"), "{message}");
    let absent = case.options().with_certificates("absent.pem");
    let error = hub.file_with("config.json", &absent).unwrap_err();
    assert!(matches!(error, Error::Certificates { .. }), "{error}");
    assert_eq!(case.server.requests().len(), 0);
}

#[test]
fn a_file_of_authorities_that_holds_none_is_named() {
    let case = Case::new();
    fs::write(case.file("empty.pem"), "").unwrap();
    fs::write(case.file("text.pem"), "no certificate\n").unwrap();
    let section =
        |lines: &str| format!("-----BEGIN CERTIFICATE-----{lines}-----END CERTIFICATE-----\n");
    fs::write(case.file("broken.pem"), section("\n???\n")).unwrap();
    fs::write(case.file("other.pem"), section("\nAAAA\n")).unwrap();
    fs::write(case.file("line.pem"), section(&"A".repeat(10_000))).unwrap();
    let port = case.authority.protect(&case.server, "localhost");
    fs::create_dir(case.file("folder.pem")).unwrap();
    let large = fs::File::create(case.file("large.pem")).unwrap();
    large.set_len((16 << 20) + 1).unwrap();
    let names = [
        "absent.pem",
        "empty.pem",
        "text.pem",
        "broken.pem",
        "other.pem",
        "line.pem",
        "folder.pem",
        "large.pem",
        // Never ends.
        #[cfg(unix)]
        "/dev/zero",
    ];
    for name in names {
        let options = quick().with_certificates(case.file(name));
        let error = case
            .get(&format!("https://localhost:{port}/file"), options)
            .unwrap_err();
        assert!(
            matches!(&error, Error::Certificates { file, .. } if *file == case.file(name)),
            "{name}: {error}"
        );
        // It does not repeat the file, which may hold a key.
        let message = error.to_string();
        assert!(message.len() < 1000, "{name}: {message}");
    }
    assert_eq!(case.server.requests().len(), 0);
}

#[test]
fn a_file_of_authorities_may_begin_with_the_mark_of_windows_editors() {
    let case = Case::new();
    let port = case.authority.protect(&case.server, "localhost");
    let marked = [b"\xef\xbb\xbf", &*fs::read(case.file("roots.pem")).unwrap()].concat();
    fs::write(case.file("marked.pem"), marked).unwrap();
    let options = quick().with_certificates(case.file("marked.pem"));
    let found = case.get(&format!("https://localhost:{port}/file"), options);
    assert_eq!(found.unwrap(), case.body);
}

#[test]
#[ignore = "a part of the_environment_names_the_file_of_authorities"]
fn child() {
    let folder = tempfile::tempdir().unwrap();
    let (url, file) = (env::var("TEST_URL").unwrap(), folder.path().join("out"));
    match Download::new(url, &file).with_options(quick()).fetch() {
        Ok(_) => println!("got: {}", fs::read(&file).unwrap().len()),
        Err(error) => println!("refused: {error}"),
    }
}

#[test]
fn the_environment_names_the_file_of_authorities() {
    let case = Case::new();
    let port = case.authority.protect(&case.server, "localhost");
    let said = |file: &str| {
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", "tls::child", "--ignored", "--nocapture"])
            .env("SSL_CERT_FILE", file)
            .env("TEST_URL", format!("https://localhost:{port}/file"))
            .env("NO_PROXY", "localhost")
            .env_remove("VISION_MIRROR")
            .env_remove("VISION_OFFLINE")
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let roots = said(case.file("roots.pem").to_str().unwrap());
    assert!(roots.contains("got: 50000"), "{roots}");
    // Empty is as good as none: the built-in authorities do not know this server's.
    let none = said("");
    assert!(none.contains("is not trusted: "), "{none}");
    let absent = said("absent.pem");
    assert!(
        absent.contains("refused: the certificates in absent.pem"),
        "{absent}"
    );
}
