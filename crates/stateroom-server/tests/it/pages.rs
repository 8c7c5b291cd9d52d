//! Pages: what is served over plain HTTP, and how.

use crate::support::{TestServer, parts, start};
use stateroom_server::ServerConfig;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A folder with pages, which is removed at the end.
struct Site(PathBuf);

impl Site {
    fn new(name: &str) -> Site {
        let folder = std::env::temp_dir().join(format!("stateroom-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Site(folder)
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.0.join(file), text).unwrap();
    }

    async fn serve(&self, configure: impl FnOnce(&mut ServerConfig)) -> TestServer {
        let folder: &Path = &self.0;
        start(|config| {
            config.static_path = Some(folder.to_owned());
            configure(config);
        })
        .await
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An answer: its status, its headers, its body.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.filter(|header| header.0 == name).map(|header| header.1).next()
    }
}

/// What a request with these headers, a line each, is answered.
async fn ask(server: &TestServer, method: &str, path: &str, headers: &str) -> Answer {
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: x\r\n{headers}connection: close\r\n\r\n");
    let answer = server.raw(request.as_bytes()).await;
    let (status, body) = parts(&answer);
    let head = answer.split("\r\n\r\n").next().unwrap_or_default().to_owned();
    Answer { status, head, body }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_say_how_they_are_encoded_and_that_they_may_change() {
    let site = Site::new("kinds");
    for name in ["index.html", "a.css", "a.js", "a.txt", "a.json", "a.wasm", "a.svg"] {
        site.write(name, "ä");
    }
    let server = site.serve(|_| {}).await;
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/a.css", "text/css; charset=utf-8"),
        ("/a.js", "text/javascript; charset=utf-8"),
        ("/a.txt", "text/plain; charset=utf-8"),
        ("/a.json", "application/json"),
        ("/a.wasm", "application/wasm"),
        ("/a.svg", "image/svg+xml"),
    ] {
        let answer = ask(&server, "GET", path, "").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        let known = format!("if-none-match: {}\r\n", answer.header("etag").unwrap());
        assert_eq!(ask(&server, "GET", path, &known).await.status, 304, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_compressed_beforehand_are_sent_to_those_who_take_them() {
    let site = Site::new("compressed");
    for (name, text) in [("app.js", "plain"), ("app.js.br", "by brotli"), ("app.js.gz", "by gzip")]
    {
        site.write(name, text);
    }
    // With an ending it is too long for a file system.
    let long = "x".repeat(254);
    site.write(&long, "long");
    let server = site.serve(|_| {}).await;
    for (accepts, encoding, body) in [
        ("", None, "plain"),
        ("accept-encoding: gzip, br\r\n", Some("br"), "by brotli"),
        ("accept-encoding: gzip\r\n", Some("gzip"), "by gzip"),
        ("accept-encoding: zstd\r\n", None, "plain"),
    ] {
        let answer = ask(&server, "GET", "/app.js", accepts).await;
        assert_eq!((answer.header("content-encoding"), &*answer.body), (encoding, body));
        assert_eq!(answer.header("content-type"), Some("text/javascript; charset=utf-8"));
        assert_eq!(answer.header("vary"), Some("accept-encoding"));
    }
    let answer = ask(&server, "GET", &format!("/{long}"), "accept-encoding: br\r\n").await;
    assert_eq!((answer.status, &*answer.body), (200, "long"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_file_is_sent_to_whoever_asks_for_it() {
    let site = Site::new("ranges");
    site.write("ten.txt", "0123456789");
    site.write("none.txt", "");
    let server = site.serve(|_| {}).await;
    for (file, range, status, body, content_range) in [
        ("ten", "bytes=2-4", 206, "234", Some("bytes 2-4/10")),
        ("ten", "bytes=7-", 206, "789", Some("bytes 7-9/10")),
        ("ten", "bytes=-3", 206, "789", Some("bytes 7-9/10")),
        ("ten", "bytes=5-100", 206, "56789", Some("bytes 5-9/10")),
        ("ten", "bytes=-100", 206, "0123456789", Some("bytes 0-9/10")),
        ("ten", "bytes=10-", 416, "", Some("bytes */10")),
        ("ten", "bytes=-0", 416, "", Some("bytes */10")),
        ("ten", "bytes=0-1,3-4", 200, "0123456789", None),
        ("ten", "bytes=4-2", 200, "0123456789", None),
        ("ten", "lines=0-1", 200, "0123456789", None),
        ("none", "bytes=0-", 200, "", None),
        ("none", "bytes=-5", 416, "", Some("bytes */0")),
    ] {
        let headers = format!("range: {range}\r\n");
        let answer = ask(&server, "GET", &format!("/{file}.txt"), &headers).await;
        let told = (answer.status, &*answer.body, answer.header("content-range"));
        assert_eq!(told, (status, body, content_range), "{range} of {file}");
    }
    let answer = ask(&server, "HEAD", "/ten.txt", "range: bytes=2-4\r\n").await;
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("10")));

    let whole = ask(&server, "GET", "/ten.txt", "").await;
    let (etag, modified) = (whole.header("etag").unwrap(), whole.header("last-modified").unwrap());
    let weak = format!("W/{etag}");
    for (validator, status) in [
        (etag, 206),
        (modified, 206),
        (&*weak, 200),
        ("\"another\"", 200),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 200),
    ] {
        for range in ["bytes=2-4", "bytes=10-"] {
            let headers = format!("range: {range}\r\nif-range: {validator}\r\n");
            let expected = if (range, status) == ("bytes=10-", 206) { 416 } else { status };
            let answer = ask(&server, "GET", "/ten.txt", &headers).await;
            assert_eq!(answer.status, expected, "{range} if {validator}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_page_one_says_so() {
    let site = Site::new("missing");
    site.write("index.html", "first");
    let browser = "accept: text/html,*/*\r\n";
    let long = format!("/{}", "x".repeat(300));
    for server in [site.serve(|_| {}).await, start(|_| {}).await] {
        for path in ["/none", "/none/", "/index.html/below", "/a%00b", &long] {
            let answer = ask(&server, "GET", path, "").await;
            assert_eq!(answer.status, 404, "{path}");
            assert!(answer.body.contains("at /ws/ROOM_ID"), "{path}: {}", answer.body);
            let answer = ask(&server, "GET", path, browser).await;
            assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
            assert!(answer.body.contains("<h1>Not found</h1>"), "{}", answer.body);
            assert_eq!(ask(&server, "HEAD", path, "").await.body, "");
        }
        // A room's address is told as what it is.
        assert_eq!(ask(&server, "GET", "/ws/room", browser).await.status, 426);
    }
    site.write("404.html", "our own");
    let server = site.serve(|_| {}).await;
    let headers = "range: bytes=0-1\r\nif-modified-since: Fri, 01 Jan 2100 00:00:00 GMT\r\n";
    let answer = ask(&server, "GET", "/none", headers).await;
    assert_eq!((answer.status, &*answer.body), (404, "our own"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_are_worked_on_are_not_cached_and_hear_of_changes() {
    let site = Site::new("live");
    site.write("index.html", "<p>page</p>");
    site.write("index.html.gz", "compressed");
    site.write("app.js", "script");
    let server = site.serve(|config| config.live_pages = true).await;
    let answer = ask(&server, "GET", "/", "accept-encoding: gzip\r\n").await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.body.starts_with("<p>page</p>\n<script>"), "{}", answer.body);
    assert_eq!(answer.header("content-length"), Some(&*answer.body.len().to_string()));
    assert_eq!(ask(&server, "GET", "/app.js", "").await.body, "script");
    let missing = ask(&server, "GET", "/none", "accept: text/html\r\n").await;
    assert!(missing.body.contains("<script>"), "a page may come into being: {}", missing.body);

    let listening = tokio::spawn({
        let address = server.address;
        async move {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET /_stateroom/pages HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
                .lines()
                .filter_map(|line| line.strip_prefix("data: "))
                .map(str::to_owned)
                .collect()
        }
    });
    // It may begin to listen before or after the first of these.
    let versions: Vec<String> = crate::support::within(async {
        while !listening.is_finished() {
            server.handle.reload_pages();
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        listening.await.unwrap()
    })
    .await;
    assert_eq!(versions.len(), 2, "{versions:?}");
    assert_ne!(versions[0], versions[1]);
    assert!(answer.body.contains(r#"event.data !== "0""#), "{}", answer.body);

    let plain = site.serve(|_| {}).await;
    assert_eq!(ask(&plain, "GET", "/_stateroom/pages", "").await.status, 404);
    assert_eq!(ask(&plain, "GET", "/", "").await.body, "<p>page</p>");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_listens_for_changes_holds_up_no_end() {
    let site = Site::new("ending");
    let mut server = site.serve(|config| config.live_pages = true).await;
    let request = b"GET /_stateroom/pages HTTP/1.1\r\nhost: x\r\n\r\n";
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let began = std::time::Instant::now();
    server.handle.shutdown();
    crate::support::within(&mut server.ended).await.unwrap().unwrap();
    assert!(began.elapsed() < ServerConfig::default().shutdown_timeout, "{:?}", began.elapsed());
}
