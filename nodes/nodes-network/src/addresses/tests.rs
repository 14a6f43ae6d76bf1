//! Addresses under churn and over restarts.

use super::*;

fn open(path: &Path) -> AddressBook {
    AddressBook::open(path, "10.42.0.0/28".parse().expect("a range")).expect("a book")
}

#[test]
fn no_address_is_given_twice_under_churn_and_freed_ones_come_last() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("addresses");
    let mut book = open(&path);
    let mut held: BTreeMap<String, Ipv4Addr> = BTreeMap::new();
    let mut freed_at: BTreeMap<Ipv4Addr, usize> = BTreeMap::new();
    for round in 0..500_usize {
        if held.len() == 8 {
            let (owner, address) = held.pop_first().expect("one");
            book.release(&owner).expect("released");
            freed_at.insert(address, round);
        }
        if round % 50 == 0 {
            book = open(&path);
        }
        let owner = format!("pod-{}", (round * 7_919) % 10_007);
        let address = book.assign(&owner).expect("an address");
        assert!(!held.values().any(|one| *one == address), "{address} has two owners");
        if let Some(freed) = freed_at.get(&address) {
            assert!(
                round - freed >= 4,
                "{address} was given out again after {} rounds",
                round - freed
            );
        }
        held.insert(owner, address);
    }
}

#[test]
fn a_full_range_says_so_and_an_owner_keeps_its_address() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("addresses");
    let mut book = open(&path);
    for number in 0..13 {
        book.assign(&format!("pod-{number}")).expect("an address");
    }
    let error = book.assign("one-more").expect_err("full").to_string();
    assert_eq!(error, "all 13 addresses of 10.42.0.0/28 are taken");
    let before = book.get("pod-3");
    assert_eq!(open(&path).assign("pod-3").ok(), before);
    assert_eq!(book.gateway(), Ipv4Addr::new(10, 42, 0, 1));
}

#[test]
fn a_torn_file_loses_lines_not_the_book() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("addresses");
    fs::write(&path, "10.42.0.9 -\n10.42.0.2 a\n10.42.0.2 b\n10.99.0.2 c\n10.42.0")
        .expect("written");
    let book = open(&path);
    assert_eq!(book.owners().collect::<Vec<_>>(), ["a"]);
}
