#include "tests/disk/contents.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace gavel::disk {
namespace {

constexpr std::array<char, Contents::PAGE> ZEROS{};

std::size_t pagesOf(std::uint64_t size) {
  return static_cast<std::size_t>((size + Contents::PAGE - 1) / Contents::PAGE);
}

std::vector<std::string> partsOf(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < path.size();) {
    auto end = std::min(path.find('/', at), path.size());
    if (end > at) parts.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

}  // namespace

Contents::Contents() {
  nodes.push_back(nullptr);
  auto root = std::make_shared<Node>();
  root->directory = true;
  nodes.push_back(root);
}

// Makes a copy first if others share the node.
Contents::Node& Contents::change(Id id) {
  auto& node = nodes[id];
  if (node.use_count() > 1) node = std::make_shared<Node>(*node);
  return const_cast<Node&>(*node);
}

// -- names

Contents::Id Contents::find(const std::string& path) const {
  Id id = ROOT;
  for (auto& part: partsOf(path)) {
    auto& names = nodes[id]->names;
    auto found = names.find(part);
    if (found == names.end()) return NONE;
    id = found->second;
  }
  return id;
}

Contents::Place Contents::placeOf(const std::string& path) const {
  auto parts = partsOf(path);
  if (parts.empty()) throw std::logic_error("no place for " + path);
  std::string directory;
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) directory += "/" + parts[i];
  return {find(directory), parts.back()};
}

Contents::Id Contents::make(const Place& place, bool directory) {
  auto id = nodes.size();
  auto node = std::make_shared<Node>();
  node->directory = directory;
  nodes.push_back(node);
  apply({{place, id}});
  return id;
}

void Contents::rename(const Place& from, const Place& to) {
  auto id = nodes[from.directory]->names.at(from.name);
  apply({{from, NONE}, {to, id}});
}

void Contents::remove(const Place& place) {
  apply({{place, NONE}});
}

void Contents::apply(const Changes& changes) {
  for (auto& [place, now]: changes) {
    auto& names = change(place.directory).names;
    if (now == NONE) {
      names.erase(place.name);
    } else {
      names[place.name] = now;
    }
  }
  pending.push_back(changes);
}

std::vector<std::string> Contents::list(Id directory) const {
  std::vector<std::string> found;
  for (auto& [name, id]: nodes[directory]->names) found.push_back(name);
  return found;
}

// Older changes of the same directories become durable too, since names change in order.
void Contents::syncNames(Id directory) {
  std::set<Id> directories{directory};
  std::vector<Changes> done, left;
  for (auto i = pending.rbegin(); i != pending.rend(); ++i) {
    bool touched = std::any_of(i->begin(), i->end(), [&](auto& change) {
      return directories.contains(change.place.directory);
    });
    (touched ? done : left).push_back(*i);
    if (!touched) continue;
    for (auto& change: *i) directories.insert(change.place.directory);
  }
  std::reverse(left.begin(), left.end());
  pending = left;
  for (auto i = done.rbegin(); i != done.rend(); ++i) {
    for (auto& [place, now]: *i) {
      auto& names = change(place.directory).durableNames;
      if (now == NONE) {
        names.erase(place.name);
      } else {
        names[place.name] = now;
      }
    }
  }
}

// -- files

std::size_t Contents::read(Id file, std::uint64_t offset, char* into, std::size_t bytes) const {
  auto& node = *nodes[file];
  if (offset >= node.size) return 0;
  bytes = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, node.size - offset));
  for (std::size_t done = 0; done < bytes;) {
    auto page = static_cast<std::size_t>((offset + done) / PAGE);
    auto within = static_cast<std::size_t>((offset + done) % PAGE);
    auto count = std::min(PAGE - within, bytes - done);
    auto& from = node.pages[page] == nullptr ? ZEROS : *node.pages[page];
    std::memcpy(into + done, from.data() + within, count);
    done += count;
  }
  return bytes;
}

void Contents::write(Id file, std::uint64_t offset, const char* bytes, std::size_t count) {
  auto& node = change(file);
  node.size = std::max(node.size, offset + count);
  node.pages.resize(pagesOf(node.size));
  for (std::size_t done = 0; done < count;) {
    auto page = static_cast<std::size_t>((offset + done) / PAGE);
    auto within = static_cast<std::size_t>((offset + done) % PAGE);
    auto part = std::min(PAGE - within, count - done);
    auto& old = node.pages[page];
    auto changed = old == nullptr ? std::make_shared<Page>(ZEROS) : std::make_shared<Page>(*old);
    std::memcpy(changed->data() + within, bytes + done, part);
    old = changed;
    node.dirty.insert(page);
    done += part;
  }
}

void Contents::resize(Id file, std::uint64_t size) {
  auto& node = change(file);
  if (size < node.size && size % PAGE != 0) {
    // What follows the new end is gone, even if the file grows again.
    auto& last = node.pages[static_cast<std::size_t>(size / PAGE)];
    if (last != nullptr) {
      auto changed = std::make_shared<Page>(*last);
      std::fill(changed->begin() + static_cast<std::ptrdiff_t>(size % PAGE), changed->end(), '\0');
      last = changed;
    }
  }
  node.size = size;
  node.pages.resize(pagesOf(size));
  node.dirty.erase(node.dirty.lower_bound(node.pages.size()), node.dirty.end());
}

void Contents::sync(Id file) {
  auto& node = change(file);
  node.durablePages.resize(node.pages.size());
  for (auto page: node.dirty) node.durablePages[page] = node.pages[page];
  node.dirty.clear();
  node.durableSize = node.size;
}

// Makes those sectors of a dirty page durable that `keep` selects, if they differ.
void Contents::keepSectors(Node& node, Id id, std::size_t page, const Keep& keep) {
  auto& now = node.pages[page] == nullptr ? ZEROS : *node.pages[page];
  auto& durable = node.durablePages[page];
  auto mixed = std::make_shared<Page>(durable == nullptr ? ZEROS : *durable);
  for (std::size_t at = 0; at < PAGE; at += SECTOR) {
    if (std::memcmp(mixed->data() + at, now.data() + at, SECTOR) == 0) continue;
    if (keep(id)) std::memcpy(mixed->data() + at, now.data() + at, SECTOR);
  }
  durable = mixed;
}

void Contents::writeBack(Id file, const Keep& keep) {
  auto& node = change(file);
  for (auto page: node.dirty) {
    // Sectors past the end cannot be durable: the file would have to grow first.
    if ((page + 1) * PAGE > node.durableSize) break;
    if (keep(file)) node.durablePages[page] = node.pages[page];
  }
}

void Contents::failSync(Id file, const Keep& keep) {
  auto& node = change(file);
  node.durablePages.resize(std::max(node.pages.size(), node.durablePages.size()));
  for (auto page: node.dirty) keepSectors(node, file, page, keep);
  node.dirty.clear();
  node.durableSize = std::max(node.durableSize, node.size);
}

// Visits what a file has grown by: sector by sector up to the first that is not on the disk, then
// any of the rest.
template <typename Visit>
void Contents::forUnsynced(const Node& node, Visit&& visit) {
  bool grown = node.size > node.durableSize;
  for (auto page: node.dirty) {
    for (std::size_t at = 0; at < PAGE; at += SECTOR) {
      auto begin = page * PAGE + at;
      if (begin >= node.durableSize || (grown && begin + SECTOR > node.durableSize)) break;
      auto& now = node.pages[page] == nullptr ? ZEROS : *node.pages[page];
      bool was = page < node.durablePages.size() && node.durablePages[page] != nullptr;
      auto& durable = was ? *node.durablePages[page] : ZEROS;
      if (std::memcmp(durable.data() + at, now.data() + at, SECTOR) != 0) visit(page, at);
    }
  }
}

std::set<Contents::Id> Contents::reachable(bool alsoCached) const {
  std::set<Id> found{ROOT};
  std::vector<Id> open{ROOT};
  auto reach = [&](Id id) {
    if (id != NONE && found.insert(id).second) open.push_back(id);
  };
  for (auto& changes: pending) {
    for (auto& change: changes) reach(change.now);
    for (auto& change: changes) reach(change.place.directory);
  }
  while (!open.empty()) {
    auto& node = *nodes[open.back()];
    open.pop_back();
    for (auto& [name, id]: node.durableNames) reach(id);
    if (!alsoCached) continue;
    for (auto& [name, id]: node.names) reach(id);
  }
  return found;
}

void Contents::forgetNameless() {
  auto named = reachable(true);
  for (Id id = ROOT; id < nodes.size(); ++id) {
    if (!named.contains(id)) nodes[id] = nullptr;
  }
}

std::size_t Contents::unsynced() const {
  auto count = pending.size();
  for (auto id: reachable(false)) {
    auto& node = nodes[id];
    if (node->directory) continue;
    forUnsynced(*node, [&](std::size_t, std::size_t) { ++count; });
    auto grown = node->size > node->durableSize ? node->size - node->durableSize : 0;
    count += static_cast<std::size_t>((grown + SECTOR - 1) / SECTOR);
    if (node->size < node->durableSize) ++count;
  }
  return count;
}

Contents Contents::afterPowerLoss(const Keep& keep) const {
  Contents next;
  next.nodes.assign(nodes.size(), nullptr);
  for (auto id: reachable(false)) {
    auto& node = nodes[id];
    auto left = std::make_shared<Node>();
    left->directory = node->directory;
    left->durableNames = node->durableNames;
    auto& pages = left->durablePages;
    pages = node->durablePages;
    pages.resize(std::max(pages.size(), node->pages.size()));
    auto copy = [&](std::size_t page, std::size_t begin, std::size_t count) {
      auto mixed = std::make_shared<Page>(pages[page] == nullptr ? ZEROS : *pages[page]);
      auto& now = node->pages[page] == nullptr ? ZEROS : *node->pages[page];
      std::memcpy(mixed->data() + begin, now.data() + begin, count);
      pages[page] = mixed;
    };
    forUnsynced(*node, [&](std::size_t page, std::size_t at) {
      if (keep(id)) copy(page, at, SECTOR);
    });
    auto size = node->durableSize;
    if (node->size < size) {
      if (keep(id)) size = node->size;
    } else {
      while (size < node->size && keep(id)) {
        auto end = std::min<std::uint64_t>((size / SECTOR + 1) * SECTOR, node->size);
        // The whole sector is kept, since a sector is atomic.
        auto begin = size / SECTOR * SECTOR;
        auto page = static_cast<std::size_t>(begin / PAGE);
        copy(page, static_cast<std::size_t>(begin % PAGE), SECTOR);
        size = end;
      }
    }
    left->durableSize = left->size = size;
    pages.resize(pagesOf(size));
    left->pages = pages;
    next.nodes[id] = left;
  }
  std::set<Id> ended;  // No later change of these directories is durable.
  for (auto& changes: pending) {
    bool kept = std::none_of(changes.begin(), changes.end(),
                             [&](auto& change) { return ended.contains(change.place.directory); });
    kept = kept && keep(changes.front().place.directory);
    for (auto& [place, now]: changes) {
      if (!kept) {
        ended.insert(place.directory);
        continue;
      }
      auto& names = next.change(place.directory).durableNames;
      if (now == NONE) {
        names.erase(place.name);
      } else {
        names[place.name] = now;
      }
    }
  }
  for (Id id = ROOT; id < next.nodes.size(); ++id) {
    if (next.nodes[id] == nullptr) continue;
    auto& node = next.change(id);
    node.names = node.durableNames;
  }
  return next;
}

}  // namespace gavel::disk
