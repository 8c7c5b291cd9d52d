//! The unit of systemd: that it is in order, and that the server can live with what it forbids.

use super::{block, machine::Machine};
use crate::{
    kept::{Member, PATIENCE},
    page::program,
    process::Running,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

/// What the page calls safe, in tenths.
const MOST_EXPOSED: u32 = 15;

fn stdout(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} said\n{said}");
    assert_eq!(said, "", "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_unit_is_in_order_and_exposes_little() {
    let Some(analyze) = program("systemd-analyze") else { return };
    let machine = Machine::new();
    let unit = machine.path("my-app.service");
    // Where no such user is, systemd would say so.
    let text = machine.here(&block("ini", "ExecStart=")).replace("User=my-app", "User=daemon");
    fs::write(&unit, text).unwrap();
    stdout(Command::new(&analyze).args(["verify", "--man=no"]).arg(&unit));
    let threshold = format!("--threshold={MOST_EXPOSED}");
    stdout(Command::new(&analyze).args(["security", "--offline=yes", &threshold]).arg(&unit));
}

/// The system calls that a list of systemd's means, which has other lists in it.
fn calls(groups: &BTreeMap<&str, Vec<&str>>, name: &str) -> BTreeSet<String> {
    match groups.get(name) {
        Some(members) => members.iter().flat_map(|member| calls(groups, member)).collect(),
        None => BTreeSet::from([name.to_owned()]),
    }
}

/// What the unit allows.
fn allowed() -> BTreeSet<String> {
    let listed = stdout(Command::new("systemd-analyze").args(["--no-pager", "syscall-filter"]));
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut group = None;
    for line in listed.lines().filter(|line| !line.trim_start().starts_with('#')) {
        match line.strip_prefix("    ") {
            None if line.starts_with('@') => group = Some(line),
            None => group = None,
            Some(member) => {
                if let Some(group) = group {
                    groups.entry(group).or_default().push(member);
                }
            }
        }
    }
    let unit = block("ini", "ExecStart=");
    let mut allowed = BTreeSet::new();
    for filter in unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        match filter.strip_prefix('~') {
            None => allowed.extend(calls(&groups, filter)),
            Some(denied) => {
                let denied = calls(&groups, denied);
                allowed.retain(|call| !denied.contains(call));
            }
        }
    }
    assert!(allowed.contains("read") && !allowed.contains("chroot"), "{allowed:?}");
    allowed
}

#[tokio::test]
async fn the_server_asks_for_nothing_that_the_unit_forbids() {
    let (Some(strace), Some(_)) = (program("strace"), program("systemd-analyze")) else { return };
    let machine = Machine::new();
    let (trace, command) = (machine.path("trace"), machine.command());
    let mut traced = Command::new(strace);
    // With -D it is the server that is the child of this process.
    traced.args(["-D", "-f", "-qq", "-e", "signal=none", "-o"]).arg(&trace);
    traced.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => traced.env(name, value),
            None => traced.env_remove(name),
        };
    }
    // What spins has the lowest priority, and may take long to get as much where others compute.
    traced.env("STATEROOM_CPU_TIME_PER_EVENT", "50ms");
    let mut server = Running::start(&mut traced);
    let address = server.address();
    let mut members = Vec::new();
    for _ in 0..4 {
        let (mut member, _) = Member::enter(&address, "lobby").await;
        member.says("add 1").await;
        members.push(member);
    }
    members[0].says("spin 2").await;
    assert!(members[0].ends().await.is_some());
    assert_eq!(members[1].ask("log").await, "[1, 1, 1, 1]");
    server.signal("-HUP");
    server.hears("the module was loaded again");
    server.signal("-TERM");
    assert!(server.ends_within(PATIENCE).is_some_and(|status| status.success()));

    let (trace, allowed) = (fs::read_to_string(trace).unwrap(), allowed());
    let calls = trace.lines().filter_map(|line| {
        let (_, call) = line.split_once(' ')?;
        let (name, arguments) = call.trim_start().split_once('(')?;
        Some((name, arguments))
    });
    let (mut seen, mut forbidden) = (BTreeSet::new(), BTreeSet::new());
    for (name, arguments) in calls.filter(|(name, _)| name.bytes().all(|b| b != b' ')) {
        // SQLite calls that one if it runs as root, which it does not there.
        if !allowed.contains(name) && name != "fchown" {
            forbidden.insert(format!("{name}({arguments}"));
        }
        // AF_INET6 too.
        if name == "socket" && !arguments.starts_with("AF_INET") {
            forbidden.insert(format!("{name}({arguments}"));
        }
        seen.insert(name);
    }
    assert!(forbidden.is_empty(), "{forbidden:#?}");
    for expected in ["accept4", "fdatasync", "mprotect", "setpriority"] {
        assert!(seen.contains(expected), "{expected} is not among {seen:?}");
    }
}
