//! The image, built and run as the page says, where there is a daemon of Docker.

use super::{block, machine::Machine};
use crate::{
    kept::{Member, PATIENCE},
    page::passed_over,
};
use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// What the images, the container and the volume of this test are called.
const NAME: &str = "stateroom-deploy-test";

/// What the image is made from.
const BASE: &str = "debian:bookworm-slim";

fn docker(arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new("docker");
    let output = command.args(arguments).output();
    let output = output.map_err(|error| error.to_string())?;
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(out.trim().to_owned()) } else { Err(err.into_owned()) }
}

fn is_there() -> bool {
    let has_base = || docker(&["image", "inspect", BASE]).or_else(|_| docker(&["pull", BASE]));
    match docker(&["info"]).and_then(|_| has_base()) {
        Ok(_) => true,
        Err(error) => {
            passed_over(error.trim());
            false
        }
    }
}

/// Removes all that this test makes.
struct Cleared;

impl Drop for Cleared {
    fn drop(&mut self) {
        clear();
    }
}

fn clear() {
    let _ = docker(&["rm", "--force", "--volumes", NAME]);
    let _ = docker(&["volume", "rm", NAME]);
    let _ = docker(&["rmi", "--force", NAME, &format!("{NAME}-base")]);
}

fn address() -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(address) = docker(&["port", NAME, "8080"])
            && crate::process::try_get(&address, "/healthz").is_some()
        {
            return address;
        }
        assert!(Instant::now() < deadline, "{:?}", docker(&["logs", NAME]));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test]
async fn the_image_runs_as_nobody_on_a_root_that_is_read_only_and_keeps_its_rooms() {
    if !is_there() {
        return;
    }
    clear();
    let (machine, _cleared) = (Machine::new(), Cleared);
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let file = fs::read_to_string(checkout.join("packaging/Dockerfile")).unwrap();
    // The command that is there already in the place of the stage that builds it.
    let (_, image) = file.split_once("\n\n").unwrap();
    let context = machine.path("checkout");
    fs::create_dir_all(context.join("packaging")).unwrap();
    let stage = "FROM scratch AS command\nCOPY stateroom /";
    fs::write(context.join("packaging/Dockerfile"), format!("{stage}\n{image}")).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_stateroom"), context.join("stateroom")).unwrap();
    let build = block("sh", "docker build -t stateroom");
    let build = build.replace("-t stateroom", &format!("-t {NAME}-base"));
    machine.run(&format!("cd {}\n{build}", context.display()));

    let project = block("dockerfile", "FROM").replace("stateroom", &format!("{NAME}-base"));
    fs::write(machine.path("project/Dockerfile"), project).unwrap();
    let run =
        block("sh", "docker run").replace("my-app", NAME).replace("127.0.0.1:8080", "127.0.0.1:");
    machine.run(&run);

    let (mut member, _) = Member::enter(&address(), "lobby").await;
    member.says("add 1").await;
    member.hears("added 1").await;
    assert_eq!(docker(&["exec", NAME, "id", "-u"]).unwrap(), "10001");
    assert!(docker(&["exec", NAME, "touch", "/tmp/file"]).is_err());
    let check =
        docker(&["inspect", "--format", "{{json .Config.Healthcheck.Test}}", NAME]).unwrap();
    let check: Vec<String> = serde_json::from_str(&check).unwrap();
    let check = check.iter().skip(1).map(String::as_str);
    docker(&["exec", NAME].into_iter().chain(check).collect::<Vec<_>>()).unwrap();
    docker(&["kill", NAME]).unwrap();
    docker(&["start", NAME]).unwrap();
    let (mut member, _) = Member::enter(&address(), "lobby").await;
    assert_eq!(member.ask("log").await, "[1]");
    drop(member);
    docker(&["stop", NAME]).unwrap();
    let code = docker(&["inspect", "--format", "{{.State.ExitCode}}", NAME]).unwrap();
    assert_eq!(code, "0", "it is told to end as the first process there");
}
