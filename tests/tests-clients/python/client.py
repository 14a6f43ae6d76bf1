"""Uses a cluster as Python programs do: the `kubernetes` package, JSON, patches, chunked lists, a watch in a thread.

Writes for the time that --for says, then compares, and prints one line of JSON. Whatever is missing or doubled makes it
exit with 1.
"""

import argparse
import json
import sys
import threading
import time

from kubernetes import client, config, watch

COUNTER = "counter"
PATIENCE = 5.0
DEADLINE = 60.0


class Follower(threading.Thread):
    """Sees every version of the counter; a watch that breaks is taken up again behind the last version seen."""

    def __init__(self, api, namespace, version):
        super().__init__(daemon=True)
        self.api, self.namespace, self.version = api, namespace, version
        self.seen, self.resumed, self.wrong = 0, -1, None
        self.changed = threading.Condition()

    def run(self):
        while self.wrong is None:
            self.resumed += 1
            try:
                self.follow()
            except client.ApiException as error:
                if error.status == 410:
                    self.take(None, f"the watch ended: {error.body}")
            except Exception:  # A connection that broke: which of a dozen types says it differs by how it broke.
                continue

    def follow(self):
        stream = watch.Watch().stream(
            self.api.list_namespaced_config_map,
            self.namespace,
            field_selector=f"metadata.name={COUNTER}",
            resource_version=self.version,
            allow_watch_bookmarks=True,
            timeout_seconds=30,
            _request_timeout=(PATIENCE, 35),
        )
        for event in stream:
            if event["type"] == "BOOKMARK":
                self.version = event["raw_object"]["metadata"]["resourceVersion"]
                continue
            self.version = event["object"].metadata.resource_version
            number = int(event["object"].data["n"])
            self.take(number, None if number == self.seen + 1 else f"{number} follows {self.seen}")

    def take(self, number, wrong):
        with self.changed:
            self.seen = self.seen if number is None else number
            self.wrong = self.wrong or wrong
            self.changed.notify_all()

    def until(self, last):
        """Waits for the last number; returns what is wrong."""
        with self.changed:
            self.changed.wait_for(lambda: self.wrong or self.seen == last, DEADLINE)
            return self.wrong or (None if self.seen == last else f"the watch saw {self.seen} of {last}")


def persist(report, do):
    """Tries again until it succeeds, for a minute: a server may be lost at any time."""
    end = time.monotonic() + DEADLINE
    while True:
        try:
            result = do()
            report["acknowledged"] += 1
            return result
        except Exception:
            report["failed"] += 1
            if time.monotonic() > end:
                raise


def chunked(api, namespace):
    """All names but the one that every namespace has, 7 at a time."""
    names, token = [], None
    while True:
        page = api.list_namespaced_config_map(namespace, limit=7, _continue=token, _request_timeout=PATIENCE)
        names += [item.metadata.name for item in page.items if item.metadata.name != "kube-root-ca.crt"]
        token = page.metadata._continue
        if not token:
            return names


def run(namespace, lasts):
    config.load_kube_config()
    api = client.CoreV1Api()
    report = {"acknowledged": 0, "failed": 0, "seen": 0, "resumed": 0}
    api.create_namespace({"metadata": {"name": namespace}})
    begun = api.create_namespaced_config_map(namespace, {"metadata": {"name": COUNTER}, "data": {"n": "0"}})
    follower = Follower(client.CoreV1Api(client.ApiClient()), namespace, begun.metadata.resource_version)
    follower.start()
    end, number, there = time.monotonic() + lasts, 0, {COUNTER}
    while time.monotonic() < end:
        number += 1
        count = {"data": {"n": str(number)}}
        persist(report, lambda: api.patch_namespaced_config_map(COUNTER, namespace, count, _request_timeout=PATIENCE))
        name = f"object-{number % 20}"
        body = {"metadata": {"name": name, "labels": {"round": str(number)}}}
        persist(report, lambda: replace(api, namespace, name, body))
        there.add(name)
    report["wrong"] = follower.until(number)
    report["seen"], report["resumed"] = follower.seen, follower.resumed
    names = chunked(api, namespace)
    if sorted(names) != sorted(there):
        report["wrong"] = f"the cluster lists {sorted(names)}, written were {sorted(there)}"
    api.delete_collection_namespaced_config_map(namespace, label_selector="round", _request_timeout=PATIENCE)
    left = set(chunked(api, namespace))
    if left != {COUNTER}:
        report["wrong"] = f"left behind: {left}"
    return report


def replace(api, namespace, name, body):
    """Deletes the object if it is there, and creates it."""
    try:
        api.delete_namespaced_config_map(name, namespace, _request_timeout=PATIENCE)
    except client.ApiException as error:
        if error.status != 404:
            raise
    try:
        api.create_namespaced_config_map(namespace, body, _request_timeout=PATIENCE)
    except client.ApiException as error:
        # An answer that was lost: the object of this round is there.
        if error.status != 409:
            raise


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--for", dest="lasts", type=float, default=60.0, help="seconds")
    parser.add_argument("--namespace", default="python", help="is created")
    asked = parser.parse_args()
    report = run(asked.namespace, asked.lasts)
    print(json.dumps(report))
    sys.exit(1 if report["wrong"] else 0)


if __name__ == "__main__":
    main()
