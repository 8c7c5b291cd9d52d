//! The system's signals, in a process of their own: whoever is told to end ends.
#![cfg(unix)]

use stateroom::{SimpleServiceFactory, SimpleStateroomService, StateroomContext};
use stateroom_server::Server;
use std::{process::Command, time::Duration};

struct Quiet;

impl SimpleStateroomService for Quiet {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        Quiet
    }
}

#[test]
fn whoever_is_told_to_end_before_it_runs_ends_as_soon_as_it_does() {
    let server = Server::new().with_port(0).with_ip("127.0.0.1".into());
    let running = server.bind(SimpleServiceFactory::<Quiet>::new()).unwrap();
    // Its address could be printed now, and whoever reads that may have it end at once.
    let process = std::process::id().to_string();
    assert!(Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
    std::thread::sleep(Duration::from_millis(50));
    let (tell, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || tell.send(running.run()));
    ended.recv_timeout(Duration::from_secs(20)).expect("it runs on").unwrap();
}
