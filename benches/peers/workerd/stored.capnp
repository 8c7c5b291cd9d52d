# One Durable Object per room. Each has an SQLite file, in the folder that is named on the command line.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .rooms),
    (name = "rooms", disk = (path = "rooms", writable = true)),
  ],
  sockets = [(name = "http", http = (), service = "main")],
);

const rooms :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-11-01",
  durableObjectNamespaces = [
    (className = "Room", uniqueKey = "stateroom-bench-room", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "rooms"),
  bindings = [
    (name = "ROOM", durableObjectNamespace = "Room"),
    (name = "MODE", fromEnvironment = "MODE"),
    (name = "STORES", text = "each message"),
  ],
);
