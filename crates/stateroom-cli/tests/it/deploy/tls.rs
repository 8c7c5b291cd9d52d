//! TLS for those who visit a proxy, by the command `openssl`.

use std::{
    os::{fd::OwnedFd, unix::net::UnixStream as Pair},
    path::Path,
    process::{Child, Command, Stdio},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

/// Makes a certificate for `localhost`, and its key: `cert.pem` and `key.pem`.
pub(super) fn make_certificate(folder: &Path) {
    let made = Command::new("openssl")
        .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes".split(' '))
        .args("-days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost".split(' '))
        .args("-keyout key.pem -out cert.pem".split(' '))
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// The command that has a connection open, for as long as this is there.
pub(super) struct Openssl(Child);

impl Drop for Openssl {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Connects to `localhost` from one of this machine's addresses. Whoever is there must have the certificate in
/// `folder`.
pub(super) fn connect(port: u16, folder: &Path, from: &str) -> (UnixStream, Openssl) {
    let (ours, theirs) = Pair::pair().unwrap();
    let stdin: OwnedFd = theirs.try_clone().unwrap().into();
    let openssl = Command::new("openssl")
        .args(["s_client", "-quiet", "-verify_return_error", "-servername", "localhost"])
        .args(["-verify_hostname", "localhost", "-CAfile", "cert.pem"])
        .args(["-connect", &format!("127.0.0.1:{port}"), "-bind", &format!("{from}:0")])
        .current_dir(folder)
        .stdin(stdin)
        .stdout(OwnedFd::from(theirs))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    ours.set_nonblocking(true).unwrap();
    (UnixStream::from_std(ours).unwrap(), Openssl(openssl))
}

/// All that is answered to a request for `path`, head and body.
pub(super) async fn get(port: u16, folder: &Path, path: &str) -> String {
    let (mut stream, _openssl) = connect(port, folder, "127.0.0.1");
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
