//! Whatever becomes of stderr, rooms are served, and the server ends when it is told to.

use crate::{
    process::{Client, PATIENCE, stateroom},
    project::{Module, REMEMBERING_ROOM},
};
use std::{
    fs::OpenOptions,
    io::{BufRead, BufReader, PipeReader, PipeWriter, Write, pipe},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread::{self, sleep},
    time::{Duration, Instant},
};

/// A server whose stderr is another for each test. It is killed when this is dropped.
struct Served {
    process: Child,
    address: String,
    _module: Module,
}

/// It fails at a message that begins with `!`, of which the log tells.
fn module() -> Module {
    let parameters = "(param $text i32) (param $bytes i32)";
    let fails = "(if (i32.eq (i32.load8_u (local.get $text)) (i32.const 33)) (then unreachable))";
    Module::new(&REMEMBERING_ROOM.replace(parameters, &format!("{parameters}\n{fails}")))
}

fn command(module: &Module, port: u16) -> Command {
    let mut command = stateroom(["serve", "--host", "127.0.0.1", "--port", &port.to_string()]);
    command.arg(&module.path);
    command
}

impl Served {
    /// One that says where it listens; and both ends of its stderr.
    fn piped() -> (Served, BufReader<PipeReader>, PipeWriter) {
        let module = module();
        let (reader, writer) = pipe().unwrap();
        let mut command = command(&module, 0);
        let process = command.stderr(writer.try_clone().unwrap()).spawn().unwrap();
        // Which holds an end of it too.
        drop(command);
        let mut reader = BufReader::new(reader);
        let mut line = String::new();
        while !line.contains("http://") {
            line.clear();
            assert!(reader.read_line(&mut line).unwrap() > 0, "the server ended");
        }
        let (_, address) = line.split_once("http://").unwrap();
        let address = address.split(['/', '"']).next().unwrap().trim().to_owned();
        (Served { process, address, _module: module }, reader, writer)
    }

    /// One that cannot say where it listens.
    fn with_stderr(stderr: impl Into<Stdio>) -> Served {
        let module = module();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = command(&module, port).stderr(stderr).spawn().unwrap();
        let address = format!("127.0.0.1:{port}");
        let started = Instant::now();
        while TcpStream::connect(&address).is_err() {
            assert!(started.elapsed() < PATIENCE, "nobody listens");
            sleep(Duration::from_millis(20));
        }
        Served { process, address, _module: module }
    }

    /// Has it log something in several rooms, and tries as many others.
    fn serves_rooms_beside_failing_ones(&self) {
        for number in 0..6 {
            let mut failing = Client::join(&self.address, &format!("failing-{number}"));
            failing.says("!");
            failing.is_closed();
            let mut other = Client::join(&self.address, &format!("room-{number}"));
            for answer in ["", "hello"] {
                other.says("hello");
                assert_eq!(other.hears(), answer);
            }
        }
    }

    /// Tells it to stop.
    fn ends_in_time(&mut self) {
        let told = Instant::now();
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
        assert!(told.elapsed() < Duration::from_secs(8), "{:?}", told.elapsed());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_log_that_nobody_reads_any_more_harms_no_room() {
    let (mut served, reader, writer) = Served::piped();
    drop((reader, writer));
    served.serves_rooms_beside_failing_ones();
    served.ends_in_time();
}

#[test]
fn a_reader_of_the_log_that_stalls_holds_up_no_room() {
    let (mut served, reader, mut writer) = Served::piped();
    // So much that the pipe is full, until it is read from.
    thread::spawn(move || writer.write_all(&vec![b'\n'; 1 << 20]));
    served.serves_rooms_beside_failing_ones();
    served.ends_in_time();
    drop(reader);
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_on_a_full_disk_harms_no_room() {
    let mut served = Served::with_stderr(OpenOptions::new().write(true).open("/dev/full").unwrap());
    served.serves_rooms_beside_failing_ones();
    served.ends_in_time();
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_that_cannot_tell_what_went_wrong_ends_with_its_code_all_the_same() {
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = stateroom(["serve", "/none"]).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(2));
    let mut command = stateroom(["completions", "bash"]);
    assert_eq!(command.stdout(full()).stderr(full()).status().unwrap().code(), Some(1));
    let (_, closed) = pipe().unwrap();
    let mut command = stateroom(["completions", "bash"]);
    assert_eq!(command.stdout(closed).status().unwrap().code(), Some(0));
}
