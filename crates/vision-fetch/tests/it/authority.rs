//! Encryption before a scripted server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::Server;

/// A certificate authority that no system knows.
pub(crate) struct Authority {
    /// PEM.
    pub(crate) certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self {
            certificate,
            issuer: Issuer::new(params, key),
        }
    }

    /// A PEM file of the certificate.
    pub(crate) fn write(&self, file: &Path) {
        std::fs::write(file, &self.certificate).unwrap();
    }

    /// Puts encryption before a server, which proves to be `name` with a certificate of this authority. Returns its port,
    /// which is open to the end of the process.
    pub(crate) fn protect(&self, server: &Server, name: &str) -> u16 {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let inner = server.address();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let outer = StreamOwned::new(connection, stream.unwrap());
                thread::spawn(move || pass_on(outer, inner));
            }
        });
        port
    }
}

/// One request and its answer.
fn pass_on(mut outer: StreamOwned<ServerConnection, TcpStream>, inner: SocketAddr) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        // A client that does not trust the certificate goes away.
        match outer.read(&mut byte) {
            Ok(1) => request.push(byte[0]),
            _ => return,
        }
    }
    let mut inner = TcpStream::connect(inner).unwrap();
    inner.write_all(&request).unwrap();
    let mut answer = Vec::new();
    inner.read_to_end(&mut answer).unwrap();
    let _ = outer.write_all(&answer);
    outer.conn.send_close_notify();
    let _ = outer.flush();
}
