use std::fs;

use super::*;
use crate::object_id::ObjectId;
use crate::objects::Objects;

/// Long enough for a busy machine.
const AMPLE: Duration = Duration::from_secs(60);

struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    fn new() -> Repository {
        let repository = Repository { folder: tempfile::tempdir().unwrap() };
        repository.git(&["init", "-q"]);
        repository
    }

    fn git(&self, args: &[&str]) {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.folder.path());
        command
            .args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"])
            .args(args);
        let output = command.output().unwrap();
        assert!(output.status.success(), "git {args:?}: {output:?}");
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-qm", "a"]);
    }

    fn look(&self) -> Environment {
        let mut environment = Environment::default();
        look_within(self.folder.path(), &mut environment, AMPLE);
        environment
    }
}

/// The bytes that were attached, as a store would give them back.
fn diff_of(environment: &Environment) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("objects")).unwrap();
    let objects = Objects::new(folder.path());
    environment.clone().store_attachments(&objects);
    objects.get(&environment.git_diff.unwrap()).unwrap()
}

#[test]
fn commit_changes_and_new_files_are_told() {
    let repository = Repository::new();
    let environment = repository.look();
    assert_eq!((environment.git_commit, environment.git_dirty), (None, None));
    assert_eq!(environment.unknown["git_commit"], "the repository has no commit yet");

    repository.write("a", "one\n");
    repository.write("b.bin", [0, 1, 2, 255]);
    repository.write(".gitignore", "ignored\n");
    repository.commit();
    let environment = repository.look();
    assert_eq!(environment.git_commit.as_ref().map(String::len), Some(40));
    assert_eq!((environment.git_dirty, environment.git_diff), (Some(false), None));
    assert_eq!((environment.git_untracked_count, environment.git_untracked.len()), (Some(0), 0));
    assert!(environment.unknown.is_empty(), "{:?}", environment.unknown);

    // Whatever the user has configured, the diff is the same and can be applied.
    for setting in
        [["diff.noprefix", "true"], ["color.ui", "always"], ["diff.external", "/bin/false"]]
    {
        repository.git(&["config", setting[0], setting[1]]);
    }
    repository.write("a", "two\n");
    repository.write("b.bin", [0, 1, 3, 255]);
    repository.write("ignored", "");
    repository.write("data/large.csv", "");
    repository.write("new.rs", "a secret that is not recorded");
    let environment = repository.look();
    assert_eq!(environment.git_dirty, Some(true));
    assert_eq!(environment.git_untracked, ["data/", "new.rs"]);
    assert_eq!(environment.git_untracked_count, Some(2));
    let diff = diff_of(&environment);
    assert_eq!(environment.git_diff, Some(ObjectId::of(&diff)));
    let text = String::from_utf8_lossy(&diff);
    assert!(text.contains("-one\n+two\n") && text.contains("GIT binary patch"), "{text}");
    assert!(!text.contains("secret"), "{text}");

    let patch = repository.folder.path().join(".git/patch");
    fs::write(&patch, &diff).unwrap();
    repository.git(&["checkout", "-q", "--", "."]);
    assert_eq!(repository.look().git_dirty, Some(false));
    repository.git(&["apply", patch.to_str().unwrap()]);
    assert_eq!(fs::read(repository.folder.path().join("b.bin")).unwrap(), [0, 1, 3, 255]);
    assert_eq!(repository.look().git_diff, environment.git_diff);
}

#[test]
fn a_diff_that_is_larger_than_a_pipe_is_read_and_one_that_is_too_large_is_told() {
    let repository = Repository::new();
    repository.write("a", "");
    repository.commit();
    // A pipe holds 64 KiB.
    let line = "0123456789abcde\n";
    repository.write("a", line.repeat(20_000));
    assert!(diff_of(&repository.look()).len() > 320_000);
    repository.write("a", line.repeat(70_000));
    let environment = repository.look();
    assert_eq!((environment.git_dirty, environment.git_diff), (Some(true), None));
    assert_eq!(environment.unknown["git_diff"], "it has more than 1048576 bytes");
    assert_eq!(environment.git_commit.as_ref().map(String::len), Some(40));
}

#[test]
fn names_of_new_files_are_bounded_and_counted() {
    let repository = Repository::new();
    for name in 0..130 {
        repository.write(&format!("f{name:03}"), "");
    }
    let environment = repository.look();
    assert_eq!(environment.git_untracked_count, Some(130));
    assert_eq!(environment.git_untracked.len(), 100);
    assert_eq!(environment.git_untracked[99], "f099");
}

#[cfg(unix)]
#[test]
fn a_git_that_hangs_is_given_up_and_killed() {
    let repository = Repository::new();
    repository.write("a", "one\n");
    repository.write(".gitattributes", "a filter=slow\n");
    repository.commit();
    // Such a filter is what git-lfs is.
    repository.git(&["config", "filter.slow.clean", "sleep 30"]);
    repository.write("a", "two\n");
    let mut environment = Environment::default();
    let started = Instant::now();
    look_within(repository.folder.path(), &mut environment, Duration::from_millis(300));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(environment.unknown["git_diff"], "git did not answer in time");
    assert_eq!((environment.git_dirty, environment.git_diff), (None, None));
}

#[test]
fn a_folder_that_is_no_repository_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join(".git")).unwrap();
    let mut environment = Environment::default();
    look_within(folder.path(), &mut environment, AMPLE);
    assert_eq!((environment.git_commit, environment.git_dirty), (None, None));
    assert!(
        environment.unknown["git_diff"].starts_with("git ended with exit code"),
        "{:?}",
        environment.unknown
    );
}
