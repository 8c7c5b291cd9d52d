//! Ten thousand rooms with a client each, while one of them computes without end.

use stateroom_benches::{Client, Running, build_guest, free_port, spin, stateroom_command};
use stateroom_load::{Pace, Phase, Plain, Plan, run};
use std::{process::Command, time::Duration};

#[test]
fn ten_thousand_rooms_answer_within_20_ms_while_one_spins() {
    let (port, folder) = (free_port().unwrap(), tempfile::tempdir().unwrap());
    let mut serve = Command::new(stateroom_command().unwrap());
    serve.arg("serve").arg(build_guest().unwrap()).args(["--ephemeral", "--log", "off"]);
    serve.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
    let server = Running::start(&serve, None, port, &folder.path().join("log")).unwrap();
    let mut plan = Plan::new(format!("ws://{}/ws/room-{{room}}", server.address).parse().unwrap());
    (plan.rooms, plan.warmup, plan.duration) = (10_000, Duration::ZERO, Duration::from_secs(5));
    // Every room answers, and none has forgotten its client.
    plan.pace = Pace::Rate(2000.0);
    let all = run(&plan, &Plain, |_| ()).unwrap();
    assert!(all.is_clean(), "{all}");

    plan.pace = Pace::Rate(500.0);
    let beside_a_spinning_room = || {
        let mut spinning = None;
        run(&plan, &Plain, |progress| {
            if progress.phase != Phase::Connecting {
                spinning.get_or_insert_with(|| spin(server.address, 1).unwrap());
            }
        })
    };
    // Whatever else the machine does now and then is not what is tried here.
    let mut p99 = f64::INFINITY;
    for _ in 0..3 {
        let report = beside_a_spinning_room().unwrap();
        println!("all rooms: {all}beside a spinning room: {report}");
        assert!(report.is_clean(), "{report}");
        p99 = p99.min(report.latency.p99);
        if p99 < 20_000.0 {
            break;
        }
    }
    assert!(p99 < 20_000.0, "{p99} µs");

    // Its time was limited, and its client told.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let end = runtime.block_on(async {
        let mut client = Client::join(server.address, "spinning", 0).await.unwrap();
        client.send("spin").await.unwrap();
        client.text().await.unwrap_err().to_string()
    });
    assert!(end.contains("room failed"), "{end}");
}
