#pragma once

#include <memory>

#include <rocksdb/env.h>

namespace gavel::disk {

class TestDisk;

// Lets RocksDB run on a disk of a test, which has to outlive it.
std::unique_ptr<rocksdb::Env> rocksEnvironment(TestDisk& disk);

}  // namespace gavel::disk
