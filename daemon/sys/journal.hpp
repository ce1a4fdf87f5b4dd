// SPDX-License-Identifier: MIT
// FileJournal: undo logs and tunnel records as files in the runtime directory (/run/wgd, 0700):
//
//   undo/NAME     one line of JSON per step taken, appended with a single write(2) before the step
//   record/NAME   one JSON text, replaced by rename(2) of tmp/NAME
//   lock          the same for the kill switch of the host
//   datapath/NAME the FIFO of sys/process_log
//   dns/          sys/dns_ledger's
//
// Killed at any point, every file is as it was before a write, or after it, or (an undo log only) ends in
// half a line, which is left out when it is read: its step was not taken. Nothing is fsync'ed: what the files
// describe lives in the kernel's memory and goes with the same power cut as /run does.
//
// A lock on the directory keeps a second wgd from "recovering" what the first is doing.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "common/base/fd.hpp"
#include "daemon/ports/ports.hpp"

namespace wgd::sys {

class FileJournal final : public ports::Journal {
  public:
    // Makes what is missing of the directories. kUnsafeFile (not ours alone), kBusy (another wgd has it),
    // kIo.
    static Result<std::unique_ptr<FileJournal>> open(const std::string& directory);

    Result<void> append_undo(const ProfileName& name, const std::vector<plan::Op>& undo) override;
    Result<void> clear_undo(const ProfileName& name) override;
    Result<std::vector<std::pair<ProfileName, std::vector<plan::Op>>>> pending_undo() override;
    Result<void> save_record(const ProfileName& name, const std::string& json) override;
    Result<void> remove_record(const ProfileName& name) override;
    Result<std::vector<std::pair<ProfileName, std::string>>> load_records() override;

    Result<void> set_taken_down(const ProfileName& name, bool taken_down) override;
    [[nodiscard]] bool is_taken_down(const ProfileName& name) const override;

    Result<void> save_lock(const std::string& json) override;
    Result<std::string> load_lock() override;

    [[nodiscard]] std::string datapath_directory() const { return path_ + "/datapath"; }
    [[nodiscard]] std::string dns_directory() const { return path_ + "/dns"; }

  private:
    FileJournal(std::string path, Fd root)
        : path_(std::move(path))
        , root_(std::move(root)) {}
    Result<std::vector<ProfileName>> names_in(const std::string& directory) const;
    Result<std::string> read_file(const std::string& file) const;
    Result<void> remove_file(const std::string& file);
    Result<void> replace_file(const std::string& temporary, const std::string& file, const std::string& text);

    std::string path_;
    Fd root_;
    std::map<ProfileName, Fd> undo_; // logs being written
};

} // namespace wgd::sys
