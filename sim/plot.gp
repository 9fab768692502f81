# SPDX-License-Identifier: GPL-2.0-only
# gnuplot -e "tsv='build/sim/figures.tsv'; svg='build/sim/reached.svg'" sim/plot.gp
#
# How many of the hosts each bad policy reaches: a panel for each bake time, stage plans from left to right.

set terminal svg size 960,380 font "sans-serif,11" background "white"
set output svg
set datafile separator "\t"
set key autotitle columnhead

policies = "slow-3 slow-20 wrong-5% wrong enospc leak hardware load"
column_of(plan, spaces) = plan eq "100" ? 0 : (plan eq "1/10/100" ? 1 : 3) + (spaces eq "few")
# Side by side, so that equal ones are all to be seen
place(p, plan, spaces) = column_of(plan, spaces) + 0.1 * (p - 4.5)

set logscale y
set yrange [0.005:150]
set xrange [-0.6:4.6]
set xtics ("100" 0, "1/10/100" 1, "1/10/100, few" 2, "0.1/1/5/25/100" 3, "0.1/1/5/25/100, few" 4) rotate by -40
set grid ytics lc rgb "#dddddd"
set pointsize 0.9

set multiplot layout 1,3 margins 0.07,0.87,0.32,0.83 spacing 0.03,0 title "Hosts that a bad policy reaches, by stage plan (% of hosts in each stage)"
do for [bake in "1 6 24"] {
	set title "stages of ".bake." h"
	if (bake eq "24") { set key at screen 0.99,0.84 } else { unset key }
	if (bake eq "1") { set format y "%g %%" } else { set format y "" }
	plot for [i=1:words(policies)] tsv \
		using (strcol(1) eq word(policies, i) && strcol(4) eq bake ? place(i, strcol(2), strcol(3)) : NaN): \
		      (100.0 * $6 / $5) \
		with points pt (i < 5 ? 4 + i : 6 + i) lc i title word(policies, i)
}
unset multiplot
