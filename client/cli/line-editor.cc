#include "client/cli/line-editor.h"

#include <cstdio>
#include <histedit.h>
#include <poll.h>
#include <sstream>
#include <unistd.h>

#include <kj/debug.h>

namespace gavel::client::cli {
namespace {

constexpr int HISTORY_LINES = 1000;

}  // namespace

struct LineEditor::Impl {
  Options options;
  kj::UnixEventPort::FdObserver observer;
  EditLine* editor;
  ::History* history;
  bool editing = false;  // Whether the editor controls the terminal.
  bool ended = false;    // Whether Ctrl-D was typed.

  Impl(kj::UnixEventPort& port, Options&& given)
      : options(kj::mv(given)),
        observer(port, STDIN_FILENO, kj::UnixEventPort::FdObserver::OBSERVE_READ),
        editor(el_init("gavel", stdin, stdout, stderr)),
        history(history_init()) {
    KJ_REQUIRE(editor != nullptr && history != nullptr, "the terminal cannot be used for editing");
    HistEvent event;
    ::history(history, &event, H_SETSIZE, HISTORY_LINES);
    ::history(history, &event, H_SETUNIQUE, 1);
    if (!options.historyFile.empty())
      ::history(history, &event, H_LOAD, options.historyFile.c_str());
    el_set(editor, EL_CLIENTDATA, this);
    el_set(editor, EL_PROMPT, &Impl::prompt);
    el_set(editor, EL_EDITOR, "emacs");
    el_set(editor, EL_HIST, ::history, history);
    el_set(editor, EL_ADDFN, "gavel-end", "End of input", &Impl::end);
    el_set(editor, EL_BIND, "^D", "gavel-end", nullptr);
    el_set(editor, EL_ADDFN, "gavel-complete", "Complete", &Impl::complete);
    el_set(editor, EL_BIND, "^I", "gavel-complete", nullptr);
    el_source(editor, nullptr);  // The user's own ~/.editrc.
  }

  ~Impl() noexcept(false) {
    leave();
    HistEvent event;
    if (!options.historyFile.empty())
      ::history(history, &event, H_SAVE, options.historyFile.c_str());
    history_end(history);
    el_end(editor);
  }

  static Impl& of(EditLine* editor) {
    void* self = nullptr;
    el_get(editor, EL_CLIENTDATA, &self);
    return *static_cast<Impl*>(self);
  }
  static char* prompt(EditLine* editor) { return of(editor).options.prompt.data(); }

  static unsigned char end(EditLine* editor, int) {
    auto* line = el_line(editor);
    if (line->lastchar != line->buffer) return CC_NORM;
    of(editor).ended = true;
    return CC_EOF;
  }

  static unsigned char complete(EditLine* editor, int) {
    auto* line = el_line(editor);
    std::istringstream text(std::string(line->buffer, line->cursor));
    std::vector<std::string> words;
    for (std::string word; text >> word;) words.push_back(word);
    bool between = line->cursor == line->buffer || line->cursor[-1] == ' ';
    if (between) words.emplace_back();
    auto typed = words.back();
    std::vector<std::string> fitting;
    for (auto& candidate: of(editor).options.candidates(words)) {
      if (candidate.rfind(typed, 0) == 0) fitting.push_back(candidate);
    }
    if (fitting.empty()) return CC_REFRESH_BEEP;
    // The longest prefix that all fitting words share.
    auto common = fitting.front();
    for (auto& candidate: fitting) {
      std::size_t same = 0;
      while (same < common.size() && same < candidate.size() && common[same] == candidate[same])
        ++same;
      common.resize(same);
    }
    auto rest = common.substr(typed.size()) + (fitting.size() == 1 ? " " : "");
    if (rest.empty()) {
      std::string all;
      for (auto& candidate: fitting) all += (all.empty() ? "" : "  ") + candidate;
      of(editor).above([&]() { std::printf("%s\n", all.c_str()); });
      return CC_NORM;
    }
    el_insertstr(editor, rest.c_str());
    return CC_REFRESH;
  }

  void enter() {
    if (!editing) el_set(editor, EL_UNBUFFERED, 1);
    editing = true;
  }
  void leave() {
    if (editing) el_set(editor, EL_UNBUFFERED, 0);
    editing = false;
  }

  static bool readable() {
    struct pollfd polled {
      STDIN_FILENO, POLLIN, 0
    };
    return poll(&polled, 1, 0) == 1;
  }

  // Takes the typed keys one by one, until there is a line or no more keys.
  kj::Promise<kj::Maybe<std::string>> read() {
    enter();
    while (readable()) {
      int count = 0;
      auto* text = el_gets(editor, &count);
      if (ended || (text == nullptr && feof(stdin))) {
        leave();
        std::puts("");
        return kj::Maybe<std::string>(nullptr);
      }
      if (text == nullptr || count == 0) continue;
      if (text[count - 1] != '\n' && text[count - 1] != '\r') continue;
      std::string line(text, static_cast<std::size_t>(count) - 1);
      leave();
      HistEvent event;
      if (!line.empty()) ::history(history, &event, H_ENTER, line.c_str());
      return kj::Maybe<std::string>(kj::mv(line));
    }
    return observer.whenBecomesReadable().then([this]() { return read(); });
  }

  void above(kj::FunctionParam<void()> print) {
    if (editing) std::fputs("\r\033[K", stdout);
    std::fflush(stdout);  // Some of it may go to standard error.
    print();
    std::fflush(stdout);
    if (editing) el_set(editor, EL_REFRESH);
  }
};

LineEditor::LineEditor(kj::UnixEventPort& port, Options options)
    : impl(kj::heap<Impl>(port, kj::mv(options))) {}

LineEditor::~LineEditor() noexcept(false) = default;

kj::Promise<kj::Maybe<std::string>> LineEditor::read() {
  return impl->read();
}

void LineEditor::above(kj::Function<void()> print) {
  impl->above([&]() { print(); });
}

void LineEditor::setPrompt(std::string prompt) {
  impl->options.prompt = kj::mv(prompt);
}

}  // namespace gavel::client::cli
