const $=id=>document.getElementById(id),css=n=>getComputedStyle(document.documentElement).getPropertyValue(n).trim();
const fmt=(x,d=2)=>x===null||x===undefined||!isFinite(x)?'–':x.toLocaleString('en-GB',{minimumFractionDigits:d,maximumFractionDigits:d});
const pct=(x,d=2)=>x===null||x===undefined?'–':fmt(x,d)+' %';
const sign=x=>x>0?'up':x<0?'down':'';
const when=t=>new Date(t).toISOString().replace('T',' ').slice(0,19);
function el(tag,text,cls){const e=document.createElement(tag);if(text!==undefined)e.textContent=text;if(cls)e.className=cls;return e}
function table(into,rows){const per=Math.ceil(rows.length/3);for(let c=0;c<rows.length;c+=per){const t=el('table');for(const [k,v] of rows.slice(c,c+per)){const r=el('tr');r.append(el('th',k),el('td',v));t.append(r)}$(into).append(t)}}
function ticks(lo,hi,n){const raw=(hi-lo)/n,mag=10**Math.floor(Math.log10(raw||1)),step=[1,2,2.5,5,10].map(k=>k*mag).find(s=>s>=raw)||mag,out=[];for(let v=Math.ceil(lo/step)*step;v<=hi;v+=step)out.push(v);return [out,Math.max(0,-Math.floor(Math.log10(step)+1e-9))]}
