#!/usr/bin/perl
# `furrow-runs` is `furrow runs` for those who ask often: prompts, scripts, editors. A list that was printed before to a
# pipe or a file is printed again in less time than Python takes to start, as long as nothing that it hangs on has
# changed. Everything else is left to `furrow runs`. What an answer is, and when one is kept: furrow/history/answers.py.

use strict;

my $here = $0;
while (defined(my $to = readlink $here)) {
    $here = $to =~ m{^/} ? $to : $here =~ s{[^/]*$}{$to}r;
}

# Where the repository's Git directory is, and where the answer to these words is, or would be, in it. The words, and
# what else decides how the answer is written, are its name. Nothing where only Python can tell.
sub place {
    my $at = readlink('/proc/self/cwd') // return;
    until (-e "$at/.git") {
        last if -f "$at/HEAD" && -d "$at/refs";    # a bare one
        return if $at eq '';
        $at =~ s{/[^/]*$}{};
    }
    my $git  = -e "$at/.git" ? "$at/.git" : $at;
    my @from = qw(LC_ALL LC_CTYPE LANG PYTHONIOENCODING PYTHONUTF8 PYTHONCOERCECLOCALE);
    my $name = join ' ', join(',', map { $ENV{$_} // '' } @from), map { length . ":$_" } @ARGV;
    return if length $name > 200 || $name =~ m{[/\n]} || "$git$here" =~ m{\n};
    return ($git, "$git/furrow/answers/$name");
}

# The text and the notes of an answer, if it is this user's, and every file that it hangs on is as it was.
sub recall {
    my ($git, $answer) = @_;
    return unless -O $git && -d "$git/objects" && !-l $answer && -f $answer && -O _;
    open my $file, '<', $answer or return;
    my @lines = split /\n/, do { local $/; <$file> } // '', -1;
    return unless @lines > 7 && $lines[0] eq $here && $lines[1] eq $git;
    my ($paths, $stats, $text, $notes) = my @sizes = @lines[2 .. 5];
    return if grep { !/^\d{1,6}$/ } @sizes;
    return unless @lines == 8 + $paths + $stats + $text + $notes && $lines[-2] eq 'end';
    my @parts = map { [splice @lines, 6, $_] } @sizes;
    my @found;
    for my $path (@{ $parts[0] }) {
        my @stat = lstat $path or next;
        push @found, "$stat[9] $stat[7] $stat[1] $path";
    }
    return unless join("\n", @found) eq join("\n", @{ $parts[1] });
    return map { join '', map { "$_\n" } @$_ } @parts[2, 3];
}

my ($git, $answer) = -t STDOUT ? () : place();
if (my ($text, $notes) = $answer ? recall($git, $answer) : ()) {
    local $SIG{PIPE} = 'IGNORE';    # Python, too, hears of a closed pipe from the write
    my $done = 0;
    while ($done < length $text) {
        $done += syswrite(STDOUT, $text, length($text) - $done, $done) // last;
    }
    if ($done == length $text) {
        print STDERR -t STDERR ? "\r\e[K" : '', $notes;
        exit;
    }
}
$ENV{FURROW_ANSWER} = $answer ? "$answer\n$here" : '';
exec $here =~ s{[^/]*$}{furrow}r, 'runs', @ARGV or die "furrow-runs: cannot start furrow: $!\n";
