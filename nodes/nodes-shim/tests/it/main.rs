//! Shims with real containers on this machine: needs root and `/usr/bin/busybox`; without root it says so and
//! passes.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failed step of a test must stop it, wherever it happens"
)]

mod pod;

use std::{fs, time::Duration};

use actors_core::Mono;
use nix::{
    sys::{
        signal::{Signal, kill},
        time::TimeSpec,
        timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
    },
    time::clock_gettime,
    unistd::{Pid, getsid},
};
use nodes_oci::{ContainerSpec, ExecSpec, MountSpec, Resources, UserSpec, cgroup::Hierarchies};
use nodes_shim::{
    ExecOutput, PodState, RuntimeKind, bury, container_status, find, launch,
    wire::{EventKind, KillScope, Phase, Reply, Request},
};

use self::pod::{Pod, exec, process, program, run, run_until, shell, subscribe, text, wait_exit};

const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;

#[test]
fn a_pod_of_two_containers_runs_logs_and_ends() {
    let Some(pod) = Pod::new("two") else { return };
    let mut client = pod.launch();
    let mut events = subscribe(&pod);
    let script =
        "trap 'echo bye; exit 3' TERM; echo out; echo err >&2; while :; do sleep 0.05; done";
    run_until(&pod, pod.container("web", script), "err");
    run(&mut client, pod.container("side", "sleep 1000"));
    assert_eq!(text(&exec(&mut client, "web", "hostname").stdout), "two");
    assert!(text(&exec(&mut client, "web", "ifconfig lo").stdout).contains("127.0.0.1"));
    let both = exec(&mut client, "side", "echo a; echo b >&2; exit 7");
    assert_eq!(
        (text(&both.stdout), text(&both.stderr), both.exit_code),
        ("a".into(), "b".into(), 7)
    );
    exec(&mut client, "web", "echo hello > /dev/shm/shared");
    assert_eq!(text(&exec(&mut client, "side", "cat /dev/shm/shared").stdout), "hello");
    assert_eq!(
        text(&exec(&mut client, "web", "ls -d /proc/1 && test ! -e /proc/40").stdout),
        "/proc/1"
    );

    let script = "echo x > /proc/sys/kernel/hostname 2>/dev/null || echo read-only";
    assert_eq!(text(&exec(&mut client, "web", script).stdout), "read-only");

    client.kill("web", SIGTERM, KillScope::First).unwrap();
    let web = wait_exit(&mut events, "web");
    assert_eq!((web.exit_code, web.signal, web.oom_killed), (Some(3), None, false));
    assert!(web.started_at < web.finished_at);
    assert_eq!(pod.log("web"), ["stdout F out", "stderr F err", "stdout F bye"]);
    client.kill("side", SIGKILL, KillScope::All).unwrap();
    let side = wait_exit(&mut events, "side");
    assert_eq!((side.exit_code, side.signal), (Some(137), Some(9)));
    assert_eq!(container_status(&pod.spec.paths(), "side").unwrap(), Some(side));

    client.delete("web").unwrap();
    let left: Vec<String> = client.status().unwrap().containers.into_iter().map(|c| c.id).collect();
    assert_eq!(left, ["side"]);
    assert!(!pod.spec.paths().container_data("web").exists());
    assert!(pod.log_path("web").exists(), "the log outlives its container");
}

#[test]
fn exec_takes_input_terminal_size_and_time() {
    let Some(pod) = Pod::new("exec") else { return };
    let mut client = pod.launch();
    run(&mut client, pod.container("main", "sleep 1000"));
    let spec = ExecSpec { stdin: true, ..shell("main", "cat; echo end") };
    let input = "line\n".repeat(50_000);
    let echoed = client.exec(spec, input.as_bytes()).unwrap();
    assert_eq!(echoed.stdout.len(), input.len() + 4);

    let spec = ExecSpec { terminal: true, stdin: true, ..shell("main", "read x; tty; stty size") };
    let id = client.send(Request::Exec(Box::new(spec))).unwrap();
    assert_eq!(client.receive().unwrap().reply, Reply::Done);
    client.send_to(id, Request::Resize { rows: 40, columns: 132 }).unwrap();
    client.send_to(id, Request::Input(b"go\n".to_vec())).unwrap();
    let mut seen = Vec::new();
    loop {
        match client.receive().unwrap().reply {
            Reply::Output { bytes, .. } => seen.extend(bytes),
            Reply::Exited { exit_code, .. } => break assert_eq!(exit_code, 0),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(text(&seen), "go\n/dev/pts/0\n40 132");

    let spec = ExecSpec { timeout_ns: Some(50_000_000), ..shell("main", "sleep 1000") };
    let late = client.exec(spec, b"").unwrap();
    assert!(late.timed_out);
    let missing = ExecSpec { args: vec!["nothing".to_owned()], ..shell("main", "") };
    let error = client.exec(missing, b"").unwrap_err().to_string();
    assert!(error.contains(r#"exec: "nothing": executable file not found in $PATH"#), "{error}");
}

#[test]
fn a_command_is_told_to_run_before_it_is_heard() {
    let Some(pod) = Pod::new("order") else { return };
    let mut client = pod.launch();
    run(&mut client, pod.container("main", "sleep 1000"));
    for round in 0..40 {
        // It has printed and ended before the shim knows that it runs, now and then.
        client.send(Request::Exec(Box::new(shell("main", "echo quick")))).unwrap();
        assert_eq!(client.receive().unwrap().reply, Reply::Done, "round {round}");
        let mut heard = Vec::new();
        while let Reply::Output { bytes, .. } = client.receive().unwrap().reply {
            heard.extend(bytes);
        }
        assert_eq!(text(&heard), "quick", "round {round}");
    }
}

#[test]
fn the_memory_limit_is_in_force_and_its_breach_is_told() {
    let Some(pod) = Pod::new("oom") else { return };
    let mut client = pod.launch();
    let mut events = subscribe(&pod);
    let mut spec = pod.container("big", "exec dd if=/dev/zero of=/dev/null bs=128M count=1");
    spec.resources = Resources {
        memory_limit_bytes: Some(16 << 20),
        pids_max: Some(50),
        cpu_shares: Some(512),
        cpu_quota_us: Some(50_000),
        cpu_period_us: Some(100_000),
    };
    spec.oom_score_adj = 900;
    run(&mut client, spec.clone());
    let status = wait_exit(&mut events, "big");
    assert_eq!((status.exit_code, status.oom_killed), (Some(137), true));

    let limits = ContainerSpec { id: "small".to_owned(), ..spec };
    let args = ["/bin/sleep", "1000"].map(str::to_owned).to_vec();
    run(&mut client, ContainerSpec { args, log_path: None, ..limits });
    let group = format!("{}/small", pod.spec.cgroup);
    let usage = Hierarchies::discover().unwrap().usage(&group);
    assert!(usage.pids >= 1 && usage.memory_bytes < 16 << 20, "{usage:?}");
    let script = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max";
    assert_eq!(text(&exec(&mut client, "small", script).stdout), (16 << 20).to_string());
    assert_eq!(text(&exec(&mut client, "small", "cat /proc/1/oom_score_adj").stdout), "900");
}

#[test]
fn a_killed_pause_process_ends_the_pod_and_is_told() {
    let Some(pod) = Pod::new("pause") else { return };
    let mut client = pod.launch();
    let mut events = subscribe(&pod);
    run(&mut client, pod.container("main", "sleep 1000"));
    let pause = client.info().unwrap().pause_pid.unwrap();
    let status = fs::read_to_string(format!("/proc/{pause}/status")).unwrap();
    assert!(
        status.contains("CapEff:\t0000000000000000")
            && status.contains("CapBnd:\t0000000000000000")
    );
    kill(Pid::from_raw(pause), Signal::SIGKILL).unwrap();
    let mut kinds = Vec::new();
    while kinds.len() < 3 {
        kinds.push(match events.next_event().unwrap().kind {
            EventKind::Started(_) => "started",
            EventKind::Exited(_) => "exited",
            EventKind::PauseExited => "pause exited",
            EventKind::DeadlinePassed => "deadline passed",
        });
    }
    assert_eq!(kinds, ["started", "pause exited", "exited"]);
    assert_eq!(client.info().unwrap().pause_pid, None);
    let shim = process(client.info().unwrap().pid).unwrap();
    let left = bury(&pod.spec.paths()).unwrap();
    assert_eq!(left.first().unwrap().exit_code, Some(137));
    assert!(shim.wait_end(0).unwrap(), "a living shim is buried too");
    assert!(!pod.spec.run.exists());
}

#[test]
fn a_shim_belongs_to_nobody_and_is_found_again() {
    let Some(pod) = Pod::new("adopt") else { return };
    let mut client = pod.launch();
    run(&mut client, pod.container("main", "while read line; do echo got $line; done; exit 4"));
    let shim = Pid::from_raw(client.info().unwrap().pid);
    assert_eq!(getsid(Some(shim)).unwrap(), shim, "a session of its own");
    let stat = fs::read_to_string(format!("/proc/{shim}/stat")).unwrap();
    let parent = stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().to_owned();
    assert_ne!(parent, std::process::id().to_string(), "its starter is not its parent");
    for signal in [Signal::SIGHUP, Signal::SIGTERM, Signal::SIGINT] {
        kill(shim, signal).unwrap();
    }
    drop(client);
    let mut events = pod.connect();
    let status = events.subscribe(0).unwrap();
    let exited = wait_exit(&mut events, "main");
    assert_eq!(exited.exit_code, Some(4), "no input was asked for, so it ends at once");
    assert!(status.info.network.is_some());
}

#[test]
fn what_a_killed_shim_leaves_is_buried_and_the_pod_rebuilt() {
    let Some(pod) = Pod::new("bury") else { return };
    let mut client = pod.launch();
    let mut events = subscribe(&pod);
    run(&mut client, pod.container("done", "exit 5"));
    wait_exit(&mut events, "done");
    run(&mut client, pod.container("main", "sleep 1000"));
    client.create(pod.container("waiting", "sleep 1000")).unwrap();
    let shim = process(client.info().unwrap().pid).unwrap();
    let before = PodState::read(&pod.spec.paths()).unwrap().unwrap();
    let main = before.containers.iter().find(|c| c.id == "main").unwrap().pid.unwrap();
    let main = process(main).unwrap();
    shim.kill(Signal::SIGKILL).unwrap();
    assert!(shim.wait_end(20_000).unwrap());
    assert!(!main.wait_end(0).unwrap(), "the container outlives its shim");
    assert!(find(&pod.spec.paths()).unwrap().is_none());

    let left = bury(&pod.spec.paths()).unwrap();
    let codes: Vec<(&str, Option<i32>)> =
        left.iter().map(|status| (status.id.as_str(), status.exit_code)).collect();
    assert_eq!(codes, [("done", Some(5)), ("main", None), ("waiting", None)]);
    assert!(left.iter().all(|status| status.phase == Phase::Exited));
    assert!(main.wait_end(20_000).unwrap());
    assert!(bury(&pod.spec.paths()).unwrap().is_empty(), "it can be repeated");

    let mut client = pod.launch();
    run(&mut client, pod.container("main2", "sleep 1000"));
    assert_eq!(client.status().unwrap().containers.len(), 1);
}

#[test]
fn the_deadline_of_an_agent_that_does_not_come_back_kills() {
    let Some(pod) = Pod::new("deadline") else { return };
    let mut client = pod.launch();
    let mut events = subscribe(&pod);
    run(&mut client, pod.container("main", "sleep 1000"));
    client.set_deadline(Some(Mono(u64::MAX / 4))).unwrap();
    client.set_deadline(None).unwrap();
    assert_eq!(client.status().unwrap().deadline, None);
    client.set_deadline(Some(Mono(1))).unwrap();
    assert_eq!(wait_exit(&mut events, "main").exit_code, Some(137));
    assert_eq!(client.status().unwrap().deadline, None);
    let refused = client.create(pod.container("late", "true")).unwrap_err().to_string();
    assert_eq!(refused, "the deadline has passed: the pod was killed");
    let groups = Hierarchies::discover().unwrap();
    let left = groups.processes(&pod.spec.cgroup);
    for one in left.into_iter().filter_map(|pid| process(pid).ok()) {
        assert!(one.wait_end(20_000).unwrap(), "its namespaces go too");
    }
}

#[test]
fn a_pod_that_stood_still_past_its_deadline_is_killed_before_it_is_heard() {
    let Some(pod) = Pod::new("paused") else { return };
    let mut client = pod.launch();
    let mut events = subscribe(&pod);
    run(&mut client, pod.container("main", "sleep 1000 & sleep 1001"));
    let shim = Pid::from_raw(client.info().unwrap().pid);
    client.set_deadline(Some(after(Duration::from_millis(300)))).unwrap();
    kill(shim, Signal::SIGSTOP).unwrap();
    // An agent that was as late as its shim asks for more time, by an answer that came too late.
    let late = Request::SetDeadline { at: Some(after(Duration::from_secs(3_600))) };
    client.send(late).unwrap();
    let passed = TimerFd::new(ClockId::CLOCK_BOOTTIME, TimerFlags::empty()).unwrap();
    let span = TimeSpec::from_duration(Duration::from_millis(400));
    passed.set(Expiration::OneShot(span), TimerSetTimeFlags::empty()).unwrap();
    passed.wait().unwrap();
    kill(shim, Signal::SIGCONT).unwrap();
    let exited = wait_exit(&mut events, "main");
    assert_eq!(exited.exit_code, Some(137));
    assert_eq!(client.status().unwrap().deadline, None, "nobody takes it back");
}

/// An instant of the boot clock.
fn after(span: Duration) -> Mono {
    let now = Duration::from(clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).unwrap());
    Mono(u64::try_from((now + span).as_nanos()).unwrap())
}

#[test]
fn containers_share_what_the_pod_says() {
    let Some(mut pod) = Pod::new("share") else { return };
    pod.spec.share_processes = true;
    pod.spec.sysctls = vec![("net.ipv4.ip_unprivileged_port_start".to_owned(), "80".to_owned())];
    let mut client = pod.launch();
    run(&mut client, pod.container("one", "sleep 1001"));
    run(&mut client, pod.container("two", "sleep 1002; true"));
    let seen = exec(&mut client, "one", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
    assert!(text(&seen.stdout).contains("sleep 1002"), "{}", text(&seen.stdout));
    let port = exec(&mut client, "two", "cat /proc/sys/net/ipv4/ip_unprivileged_port_start");
    assert_eq!(text(&port.stdout), "80");
    // The shell is not process 1, so its death does not take its child along by itself.
    let mut events = subscribe(&pod);
    client.kill("two", SIGKILL, KillScope::First).unwrap();
    wait_exit(&mut events, "two");
    client.delete("two").unwrap();
    let seen = exec(&mut client, "one", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
    assert!(!text(&seen.stdout).contains("sleep 1002"), "{}", text(&seen.stdout));
}

#[test]
fn the_machines_network_is_given_when_asked() {
    let Some(mut pod) = Pod::new("host") else { return };
    pod.spec.host_network = true;
    let mut client = pod.launch();
    run(&mut client, pod.container("main", "sleep 1000"));
    let machine = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(text(&exec(&mut client, "main", "hostname").stdout), machine.trim());
    assert_eq!(client.info().unwrap().network, None);
}

#[test]
fn a_pod_that_cannot_begin_says_why_and_leaves_nothing() {
    let Some(mut pod) = Pod::new("wrong") else { return };
    pod.spec.sysctls = vec![("kernel.panic".to_owned(), "1".to_owned())];
    let error = launch(program(), &pod.spec).unwrap_err().to_string();
    assert!(error.contains("sysctl kernel.panic does not belong"), "{error}");
    assert!(!Hierarchies::discover().unwrap().exists(&pod.spec.cgroup));
    assert!(find(&pod.spec.paths()).unwrap().is_none());
}

#[test]
fn stopping_a_pod_asks_first_and_kills_later() {
    let Some(pod) = Pod::new("stop") else { return };
    let mut client = pod.launch();
    let polite = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done";
    run_until(&pod, pod.container("polite", polite), "ready");
    let deaf = "trap '' TERM; echo ready; while :; do sleep 0.05; done";
    run_until(&pod, pod.container("deaf", deaf), "ready");
    client.create(pod.container("waiting", "sleep 1000")).unwrap();
    client.stop_pod(Duration::from_secs(3)).unwrap();
    let codes: Vec<(String, Option<i32>)> = client
        .status()
        .unwrap()
        .containers
        .into_iter()
        .map(|status| (status.id, status.exit_code))
        .collect();
    let expected = [("deaf", Some(137)), ("polite", Some(0)), ("waiting", Some(137))];
    assert_eq!(codes, expected.map(|(id, code)| (id.to_owned(), code)));
    client.stop_pod(Duration::ZERO).unwrap();
}

#[test]
fn a_client_that_breaks_the_rules_harms_itself_only() {
    use std::{
        io::{Read, Write},
        os::unix::net::UnixStream,
    };
    let Some(pod) = Pod::new("rules") else { return };
    let mut client = pod.launch();
    for junk in [vec![0xff; 64], vec![1, 0, 0, 0, 0xff], vec![5, 0, 0, 0, 1, 250, 250, 250, 250]] {
        let mut stream = UnixStream::connect(pod.spec.paths().socket()).unwrap();
        stream.write_all(&junk).unwrap();
        assert_eq!(stream.read(&mut [0; 16]).unwrap_or(0), 0, "closed");
    }
    assert!(client.start("nobody").unwrap_err().to_string().contains("no container nobody"));
    let mut bad = pod.container("../x", "true");
    assert!(client.create(bad.clone()).unwrap_err().to_string().contains("container id"));
    bad.id = "no-command".to_owned();
    bad.args.clear();
    assert!(client.create(bad).unwrap_err().to_string().contains("no command"));
    let missing = ContainerSpec { args: vec!["/nothing".to_owned()], ..pod.container("a", "") };
    let error = client.create(missing).unwrap_err().to_string();
    assert!(
        error.contains(r#"exec: "/nothing": stat /nothing: no such file or directory"#),
        "{error}"
    );
    assert!(client.status().unwrap().containers.is_empty());
    run(&mut client, pod.container("a", "sleep 1000"));
    let error = client.delete("a").unwrap_err().to_string();
    assert_eq!(error, "container a is running");
}

#[test]
fn volumes_users_and_rights_are_as_asked() {
    let Some(pod) = Pod::new("rights") else { return };
    let volume = pod.base.join("volume");
    fs::create_dir_all(volume.join("sub")).unwrap();
    fs::write(volume.join("sub/file"), "inside").unwrap();
    fs::write(pod.base.join("secret"), "outside").unwrap();
    std::os::unix::fs::symlink(pod.base.join("secret"), volume.join("link")).unwrap();
    let mount = |destination: &str, sub_path: Option<&str>| MountSpec {
        source: volume.clone(),
        sub_path: sub_path.map(str::to_owned),
        destination: destination.to_owned(),
        read_only: true,
        follow_host: false,
    };
    let mut client = pod.launch();
    let mut spec = pod.container("main", "echo hi > /dev/stdout; sleep 1000");
    spec.mounts =
        vec![mount("/v", None), mount("/etc/file", Some("sub/file")), mount("/new", Some("a/b"))];
    spec.user = UserSpec {
        image_user: "web".to_owned(),
        supplemental_groups: vec![7],
        ..UserSpec::default()
    };
    spec.read_only_root = true;
    spec.no_new_privileges = true;
    spec.env = vec!["A=1".to_owned(), "A=2".to_owned()];
    spec.cwd = "/tmp".to_owned();
    run(&mut client, spec.clone());
    let mut check = |script: &str, expected: &str| {
        assert_eq!(text(&exec(&mut client, "main", script).stdout), expected, "{script}");
    };
    check("id -u; id -g; id -G", "33\n33\n33 7");
    check("cat /v/sub/file /etc/file; ls /new", "insideinside");
    check("touch /v/x 2>/dev/null || echo read-only", "read-only");
    check("touch /x 2>/dev/null || echo read-only", "read-only");
    check("echo $A; echo $PWD", "2\n/tmp");
    check("cat /proc/self/status | while read k v; do test $k = NoNewPrivs: && echo $v; done", "1");
    let mut devices = pod.container("devices", "sleep 1000");
    devices.privileged = true;
    run(&mut client, devices);
    let names = |output: ExecOutput| {
        text(&output.stdout).lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
    };
    let (few, many) =
        (exec(&mut client, "main", "ls /dev"), exec(&mut client, "devices", "ls /dev"));
    assert!(!names(few).contains("kmsg"));
    assert_eq!(names(many).contains("kmsg"), fs::exists("/dev/kmsg").unwrap());
    let mut out = spec.clone();
    out.id = "out".to_owned();
    out.mounts = vec![mount("/etc/file", Some("link"))];
    let error = client.create(out);
    assert!(
        error.is_err()
            || !text(&exec(&mut client, "main", "cat /etc/file").stdout).contains("outside")
    );
    let mut root = pod.container("root", "true");
    root.user.must_be_non_root = true;
    let error = client.create(root).unwrap_err().to_string();
    assert!(error.contains("runAsNonRoot"), "{error}");
}

#[test]
fn somebody_attached_hears_and_speaks() {
    let Some(pod) = Pod::new("attach") else { return };
    let mut client = pod.launch();
    let mut spec = pod.container("main", "while read line; do echo got $line; done; exit 6");
    spec.stdin = true;
    client.create(spec).unwrap();
    let id = client.send(Request::Attach { container: "main".to_owned() }).unwrap();
    assert_eq!(client.receive().unwrap().reply, Reply::Done);
    pod.connect().start("main").unwrap();
    client.send_to(id, Request::Input(b"this\n".to_vec())).unwrap();
    client.send_to(id, Request::EndInput).unwrap();
    let mut seen = Vec::new();
    let exit_code = loop {
        match client.receive().unwrap().reply {
            Reply::Output { bytes, .. } => seen.extend(bytes),
            Reply::Exited { exit_code, .. } => break exit_code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((text(&seen).as_str(), exit_code), ("got this", 6));
    assert_eq!(pod.log("main"), ["stdout F got this"]);
}

#[test]
fn without_isolation_a_pod_is_processes_of_this_machine() {
    let Some(mut pod) = Pod::new("process") else { return };
    pod.spec.runtime = RuntimeKind::Process;
    let mut client = pod.launch();
    let mut events = subscribe(&pod);
    let mut spec = pod.container("main", "echo $A; exit 9");
    spec.env = vec!["A=1".to_owned()];
    run(&mut client, spec);
    assert_eq!(wait_exit(&mut events, "main").exit_code, Some(9));
    assert_eq!(pod.log("main"), ["stdout F 1"]);
    run(&mut client, pod.container("other", "sleep 1000"));
    assert_eq!(text(&exec(&mut client, "other", "echo in").stdout), "in");
    client.stop_pod(Duration::from_secs(30)).unwrap();
    assert_eq!(wait_exit(&mut events, "other").signal, Some(SIGTERM));
    assert_eq!(client.info().unwrap().pause_pid, None);
}
