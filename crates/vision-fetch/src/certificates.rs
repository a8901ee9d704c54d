//! Which servers are trusted.

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::error::{Error, Result};
use crate::options::Options;

/// Names the file of certificate authorities, as for OpenSSL, Go and others.
const VARIABLE: &str = "SSL_CERT_FILE";
/// All authorities that browsers trust are a quarter of a megabyte.
const LARGEST: u64 = 16 << 20;

/// The settings of encrypted connections.
///
/// # Errors
///
/// [`Error::Certificates`] if a file of authorities is named, and cannot be used.
pub(crate) fn settings(options: &Options) -> Result<TlsConfig> {
    let mut settings = TlsConfig::builder();
    let named = options.certificates.clone();
    let variable = || env::var_os(VARIABLE).filter(|name| !name.is_empty());
    if let Some(file) = named.or_else(|| variable().map(PathBuf::from)) {
        let roots = read(&file).map_err(|reason| Error::Certificates { file, reason })?;
        settings = settings.root_certs(RootCerts::new_with_certs(&roots));
    }
    Ok(settings.build())
}

/// The bytes of a file, which a pipe or a device is not: reading one may never end.
fn bytes(file: &Path) -> io::Result<Vec<u8>> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    File::open(file)?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other("it is larger than 16 MiB"));
    }
    Ok(bytes)
}

/// The certificates of a PEM file, or why it has none.
fn read(file: &Path) -> std::result::Result<Vec<Certificate<'static>>, String> {
    let text = bytes(file).map_err(|error| error.to_string())?;
    // Windows' editors put a mark before the first line.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let mut roots = Vec::new();
    for item in parse_pem(text) {
        match item {
            Ok(PemItem::Certificate(root)) => roots.push(root),
            Ok(_) => {}
            // The error repeats the bytes of the file.
            Err(_) => {
                return Err(
                    "a section of the file is damaged, or not on lines of its own".to_owned(),
                );
            }
        }
    }
    if roots.is_empty() {
        return Err("it holds no certificate (-----BEGIN CERTIFICATE-----)".to_owned());
    }
    // Connections pass over what they cannot read, and without any authority they trust nobody.
    let all = roots.iter().map(|root| CertificateDer::from(root.der()));
    let (readable, _) = RootCertStore::empty().add_parsable_certificates(all);
    match readable {
        0 => Err("no certificate in the file can be read".to_owned()),
        _ => Ok(roots),
    }
}
