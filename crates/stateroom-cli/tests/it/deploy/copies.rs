//! Copies of what is kept, and new code in the place of old.

use super::{block, machine::Machine};
use crate::{
    kept::{Member, PATIENCE},
    ledgers::Talker,
    process::{Running, ends_with, get, stateroom, told},
};
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

/// The command in a line of the page.
fn command(machine: &Machine, line: &str) -> std::process::Command {
    let line = machine.here(line);
    let words = line.strip_prefix("stateroom ").unwrap().split(' ').map(str::to_owned);
    let mut command = stateroom(words);
    command.env_remove("STATEROOM_EPHEMERAL").current_dir(machine.path("project"));
    command
}

#[tokio::test]
async fn a_service_is_set_up_and_takes_new_code_while_its_sockets_stay_open() {
    let machine = Machine::new();
    let (mut server, address) = machine.start();
    let (_, port) = address.split_once(':').unwrap();
    let started = machine.run(&block("sh", "enable --now").replace("8080", port));
    assert_eq!(started, "ok");
    let (mut member, _) = Member::enter(&address, "lobby").await;
    member.says("add 1").await;
    member.hears("added 1").await;

    machine.build(2, "two");
    machine.run(&block("sh", "systemctl reload my-app"));
    server.hears("the module was loaded again");
    assert_eq!(get(&address, "/"), "two");
    let deadline = Instant::now() + PATIENCE;
    loop {
        member.says("version").await;
        if member.hears("version").await == "version-02" {
            break;
        }
        assert!(Instant::now() < deadline);
    }
    assert_eq!(member.ask("log").await, "[1]");
}

#[tokio::test]
async fn a_copy_of_a_server_that_stands_still_has_all_that_was_seen() {
    let machine = Arc::new(Machine::new());
    machine.add_command("copy-rooms", &block("sh", "cp -a"));
    let (_server, address) = machine.start();
    let (is_over, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let talker = tokio::spawn({
        let (is_over, seen) = (is_over.clone(), seen.clone());
        async move {
            let entering = Talker::enter(&address, "lobby", 0, PATIENCE).await;
            let mut talker = entering.unwrap_or_else(|stop| panic!("{stop}"));
            for number in 1.. {
                if is_over.load(SeqCst) {
                    break;
                }
                talker.enters("add", number, PATIENCE).await.unwrap();
                seen.store(number, SeqCst);
            }
            talker.log(PATIENCE).await.unwrap()
        }
    });
    let mut copies = Vec::new();
    for number in 0..3 {
        let (before, deadline) = (seen.load(SeqCst), Instant::now() + PATIENCE);
        while seen.load(SeqCst) < before + 100 {
            assert!(Instant::now() < deadline);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let (copying, before) = (machine.clone(), seen.load(SeqCst));
        let copy = format!("/var/backups/my-app-{number}");
        let run = move || copying.run(&format!("copy-rooms /var/backups/my-app-{number}\n"));
        tokio::task::spawn_blocking(run).await.unwrap();
        copies.push((copy, before));
    }
    is_over.store(true, SeqCst);
    let log = talker.await.unwrap();

    let opening = block("sh", "--port 8081");
    let mut lines = opening.lines();
    let (list, serve) = (lines.next().unwrap(), lines.next().unwrap().replace("8081", "0"));
    for (copy, before) in copies {
        let here = |line: &str| command(&machine, &line.replace("/var/backups/my-app", &copy));
        let listed = told(&mut here(list));
        assert!(listed.contains("\nlobby "), "{listed}");
        let mut server = Running::start(here(&serve).args(["--host", "127.0.0.1"]));
        let (mut member, _) = Member::enter(&server.address(), "lobby").await;
        let copied: Vec<u64> = serde_json::from_str(&member.ask("log").await).unwrap();
        assert!(log.starts_with(&copied), "what is there has happened");
        assert!(copied.len() as u64 >= before, "of {before} that were seen {}", copied.len());
    }
}

#[tokio::test]
async fn all_rooms_become_files_while_the_server_runs_and_come_back_from_them() {
    let rooms = ["lobby", "a_b", "a%20b", "A_B"];
    let machine = Machine::new();
    let (server, address) = machine.start();
    let mut members = Vec::new();
    for (room, number) in rooms.iter().zip(1..) {
        let (mut member, _) = Member::enter(&address, room).await;
        member.says(&format!("add {number}")).await;
        member.hears("added").await;
        members.push(member);
    }
    machine.run(&block("sh", "export --all"));
    let mut again = command(&machine, block("sh", "export --all").trim());
    let said = ends_with(2, &mut again);
    assert!(said.contains("backup is not empty: name a new folder"), "{said}");
    drop(members);
    assert_eq!(server.terminate(), Some(0));

    let kept = machine.path("var/lib/my-app/rooms");
    fs::remove_dir_all(&kept).unwrap();
    machine.run(&block("sh", "rooms import"));
    let (_server, address) = machine.start();
    for (room, number) in rooms.iter().zip(1..) {
        let (mut member, _) = Member::enter(&address, room).await;
        assert_eq!(member.ask("log").await, format!("[{number}]"), "{room}");
    }
}
