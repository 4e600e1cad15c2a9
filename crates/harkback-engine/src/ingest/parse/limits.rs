//! What may the process that parses a file do? Read that file and write to one pipe, within bounds of memory and time.
//!
//! A process puts the limits on itself before it reads the first byte, and cannot take them off again. They hold for what
//! it starts, too.

/// Bounds of a parsing process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParserLimits {
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Seconds of computing.
    pub cpu_seconds: u64,
    /// Seconds for which whoever waits for the next document does so.
    pub silence_seconds: u64,
}

impl Default for ParserLimits {
    /// 1 GB, ten minutes of computing, two minutes without a document.
    fn default() -> Self {
        Self { memory_bytes: 1 << 30, cpu_seconds: 600, silence_seconds: 120 }
    }
}

/// Puts the limits on this process; to be called before it has a second thread. Returns what this system does not give.
#[cfg(unix)]
pub(super) fn restrict(limits: &ParserLimits) -> Vec<String> {
    let mut missing = Vec::new();
    let mut note = |what: &str, done: Result<(), String>| {
        if let Err(error) = done {
            missing.push(format!("{what} ({error})"));
        }
    };
    note("limits of memory and time", resources(limits));
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, set_parent_process_death_signal};
        let dying = set_parent_process_death_signal(Some(Signal::KILL));
        note("an end with the server's", dying.map_err(|e| e.to_string()));
        note("the file system out of reach", system::hide_files());
        note("the network out of reach", system::forbid_calls());
    }
    #[cfg(not(target_os = "linux"))]
    note("files and the network out of reach", Err("Linux only".to_owned()));
    missing
}

#[cfg(not(unix))]
pub(super) fn restrict(_: &ParserLimits) -> Vec<String> {
    vec!["any limit (Unix only)".to_owned()]
}

#[cfg(unix)]
fn resources(limits: &ParserLimits) -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    /// Reserved addresses cost nothing, and allocators reserve many.
    const ADDRESSES_PER_BYTE: u64 = 4;
    const OPEN_FILES: u64 = 64;
    for (resource, limit) in [
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nofile, OPEN_FILES),
        (Resource::Cpu, limits.cpu_seconds),
        (Resource::Data, limits.memory_bytes),
        (Resource::As, limits.memory_bytes.saturating_mul(ADDRESSES_PER_BYTE)),
    ] {
        let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
        setrlimit(resource, limit).map_err(|e| format!("{resource:?}: {e}"))?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
mod system {
    use landlock::{
        ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus,
        path_beneath_rules,
    };
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

    /// Where `pdftotext` and its libraries and fonts lie. Data and home directories are elsewhere.
    const PROGRAMS: [&str; 7] =
        ["/usr", "/bin", "/lib", "/lib64", "/nix/store", "/etc/fonts", "/etc/ld.so.cache"];

    pub(super) fn hide_files() -> Result<(), String> {
        let abi = ABI::V4;
        let restricted = Ruleset::default()
            .handle_access(AccessFs::from_all(abi))
            .and_then(|it| it.handle_access(AccessNet::from_all(abi)))
            .and_then(Ruleset::create)
            .and_then(|it| it.add_rules(path_beneath_rules(PROGRAMS, AccessFs::from_read(abi))))
            // Where `pdftotext` is told to complain to.
            .and_then(|it| {
                it.add_rules(path_beneath_rules(["/dev/null"], AccessFs::from_file(abi)))
            })
            .and_then(landlock::RulesetCreated::restrict_self)
            .map_err(|e| e.to_string())?;
        match restricted.ruleset {
            RulesetStatus::NotEnforced => Err("the kernel has no Landlock".to_owned()),
            RulesetStatus::PartiallyEnforced | RulesetStatus::FullyEnforced => Ok(()),
        }
    }

    /// Calls that reach the network, other processes or the kernel's insides; each answers "not permitted".
    const FORBIDDEN: [i64; 13] = [
        libc::SYS_socket,
        libc::SYS_socketpair,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_io_uring_setup,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_bpf,
        libc::SYS_mount,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_keyctl,
    ];

    pub(super) fn forbid_calls() -> Result<(), String> {
        let rules = FORBIDDEN.into_iter().map(|it| (it, Vec::new())).collect();
        let denied = SeccompAction::Errno(libc::EPERM as u32);
        let arch = std::env::consts::ARCH.try_into().map_err(|_| "unknown processor")?;
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, denied, arch)
            .map_err(|e| e.to_string())?;
        let program = BpfProgram::try_from(filter).map_err(|e| e.to_string())?;
        seccompiler::apply_filter(&program).map_err(|e| e.to_string())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::system::{forbid_calls, hide_files};

    /// These limits are a thread's, so that a test can have them alone.
    fn in_a_thread<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
        std::thread::spawn(run).join().expect("the thread does not panic")
    }

    #[test]
    fn no_socket_can_be_had() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::net::TcpStream::connect(address).unwrap();
        in_a_thread(move || {
            forbid_calls().unwrap();
            for error in [
                std::net::TcpStream::connect(address).unwrap_err(),
                std::net::UdpSocket::bind("127.0.0.1:0").unwrap_err(),
                std::os::unix::net::UnixStream::connect("/tmp/x").unwrap_err(),
            ] {
                assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
            }
        });
    }

    #[test]
    fn files_are_out_of_reach_where_the_kernel_can_do_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "x").unwrap();
        in_a_thread(move || {
            if hide_files().is_ok() {
                for error in [
                    std::fs::read(&path).unwrap_err(),
                    std::fs::write(&path, "y").unwrap_err(),
                    std::fs::remove_file(&path).unwrap_err(),
                    std::fs::read("/etc/passwd").unwrap_err(),
                ] {
                    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
                }
            }
        });
    }
}
